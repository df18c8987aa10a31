<?php

class Template
{
    public function render(string $name, array $values): string
    {
        extract($values);
        ob_start();
        include dirname(__DIR__) . "/templates/$name.php";
        return ob_get_clean();
    }
}
