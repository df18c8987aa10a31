<?php
throw new DomainException('as asked');
