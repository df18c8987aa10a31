<?php
// A front controller: every page is a file of its own, included when asked for.

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (PHP_SAPI === 'cli-server' && $path !== '/' && is_file(__DIR__ . $path)) {
    return false;
}

spl_autoload_register(function (string $class): void {
    require dirname(__DIR__) . '/src/' . str_replace('\\', '/', $class) . '.php';
});

$page = $path === '/' ? 'index' : basename($path);
$method = [new Pages(), $page];
if (!is_callable($method)) {
    http_response_code(404);
    echo (new Template())->render('missing', ['path' => $path]);
    return;
}
echo $method();
