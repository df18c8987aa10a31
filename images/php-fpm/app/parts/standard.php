<?php
echo json_encode([
    'upper' => mb_strtoupper('straße'),
    'old' => bin2hex(iconv('UTF-8', 'WINDOWS-1252', '5 €')),
    'zone' => (new DateTime('2024-07-01 12:00 Europe/Berlin'))->getOffset(),
    'digest' => substr(hash('sha256', 'whit'), 0, 8),
    'sodium' => strlen(sodium_crypto_generichash('whit')),
    'opcache' => opcache_get_status(false)['opcache_enabled'],
    'user' => posix_getpwuid(posix_geteuid())['name'],
    'type' => (new finfo(FILEINFO_MIME_TYPE))->buffer("GIF89a\1\0\1\0"),
    'ctype' => ctype_alpha('abc'),
    'mail' => filter_var('a@b.example', FILTER_VALIDATE_EMAIL),
    'shell' => trim(shell_exec('echo $((6 * 7))')),
]);
