<?php

class Pages
{
    const GOODS = ['Lamp' => 4900, 'Table' => 123400, '<Vase>' => 1999];

    public function index(): string
    {
        return (new Template())->render('index', ['goods' => self::GOODS]);
    }

    public function goods(): string
    {
        header('Content-Type: application/json');
        return json_encode(self::GOODS, JSON_PRETTY_PRINT | JSON_THROW_ON_ERROR);
    }

    public function sum(): string
    {
        return (string) array_sum(json_decode(file_get_contents('php://input'), true));
    }

    public function basket(): string
    {
        session_start();
        $_SESSION['basket'][] = $_GET['name'];
        return implode(', ', $_SESSION['basket']);
    }

    public function upload(): string
    {
        $file = $_FILES['file'];
        return $file['name'] . ' ' . hash_file('crc32b', $file['tmp_name']);
    }

    public function text(): string
    {
        return mb_strtoupper('straße') . ' ' . mb_strlen('日本') . ' '
            . bin2hex(mb_convert_encoding('日本', 'SJIS', 'UTF-8'));
    }

    public function iconv(): string
    {
        return bin2hex(iconv('UTF-8', 'WINDOWS-1252', '5 €')) . ' '
            . bin2hex(iconv('UTF-8', 'SHIFT_JIS', '日本')) . ' '
            . iconv('UTF-8', 'ASCII//TRANSLIT', 'café');
    }

    public function zone(): string
    {
        $then = new DateTimeImmutable('2024-07-01 12:00', new DateTimeZone('Europe/Berlin'));
        return $then->setTimezone(new DateTimeZone('America/New_York'))->format(DATE_ATOM);
    }

    public function intl(): string
    {
        $money = new NumberFormatter('de_DE', NumberFormatter::CURRENCY);
        return $money->formatCurrency(1234.5, 'EUR') . ' '
            . IntlDateFormatter::formatObject(new DateTime('@0'), 'd MMMM y', 'fr') . ' '
            . Normalizer::normalize("e\u{301}");
    }

    public function database(): string
    {
        $file = tempnam(sys_get_temp_dir(), 'shop');
        $db = new PDO("sqlite:$file");
        $db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
        $db->exec('CREATE TABLE goods (name TEXT, cents INTEGER)');
        $put = $db->prepare('INSERT INTO goods VALUES (?, ?)');
        foreach (self::GOODS as $name => $cents) {
            $put->execute([$name, $cents]);
        }
        return (string) $db->query('SELECT sum(cents) FROM goods')->fetchColumn();
    }

    public function xml(): string
    {
        $document = new DOMDocument();
        $goods = $document->appendChild($document->createElement('goods'));
        foreach (self::GOODS as $name => $cents) {
            $goods->appendChild($document->createElement('good'))->textContent = $name;
        }
        $style = new DOMDocument();
        $style->loadXML('<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            . '<xsl:output method="text"/><xsl:template match="/">'
            . '<xsl:value-of select="count(//good)"/></xsl:template></xsl:stylesheet>');
        $simple = simplexml_import_dom($document);
        $count = $document->getElementsByTagName('good')->length;
        return "$count {$simple->good[2]} " . (class_exists('XSLTProcessor') ? 'xsl' : 'no xsl');
    }

    public function crypto(): string
    {
        $key = openssl_pkey_new(['private_key_bits' => 2048]);
        openssl_sign('whit', $signature, $key, OPENSSL_ALGO_SHA256);
        $public = openssl_pkey_get_details($key)['key'];
        $same = openssl_verify('whit', $signature, $public, OPENSSL_ALGO_SHA256);
        return substr(hash('sha256', 'whit'), 0, 8) . " $same " . strlen(sodium_crypto_generichash('whit'));
    }

    public function shell(): string
    {
        return shell_exec('echo $((6 * 7))');
    }

    public function broken(): string
    {
        throw new DomainException('as asked');
    }

    public function extensions(): string
    {
        return implode(' ', get_loaded_extensions());
    }
}
