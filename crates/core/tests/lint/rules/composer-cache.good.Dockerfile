FROM php:8.3-fpm
RUN composer install --no-dev --no-cache
RUN composer install --no-dev && composer clear-cache
