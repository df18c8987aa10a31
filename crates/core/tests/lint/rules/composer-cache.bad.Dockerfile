FROM php:8.3-fpm
RUN composer install --no-dev --no-scripts
#> 2 composer-cache safe
