Hello from <?= PHP_SAPI ?>
