<!doctype html>
<title>Shop</title>
<ul>
<?php foreach ($goods as $name => $cents): ?>
<li><?= htmlspecialchars($name) ?>: <?= number_format($cents / 100, 2, ',', '.') ?> €</li>
<?php endforeach ?>
</ul>
