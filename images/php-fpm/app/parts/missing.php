Nothing at <?= htmlspecialchars($part) ?>
