<?php
echo $_POST['name'], ' ', strlen(file_get_contents('php://input'));
