<?php
// Each word of the path is a part, included when it is asked for.

$part = basename($_SERVER['SCRIPT_URL'] ?? 'hello');
$file = __DIR__ . "/parts/$part.php";
if (!is_file($file)) {
    http_response_code(404);
    $file = __DIR__ . '/parts/missing.php';
}
include $file;
