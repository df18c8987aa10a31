FROM python:3.11
ENV PYTHONUNBUFFERED 1
RUN mkdir /code
WORKDIR /code
RUN apt-get update
RUN apt-get install -y gettext libpq-dev
ADD requirements.txt /code/
RUN pip install -r requirements.txt
ADD . /code/
RUN chown -R www-data:www-data /code
CMD python manage.py runserver 0.0.0.0:8000
#> 1 fat-base look
#> 5 apt-lists safe
#> 6 apt-recommends look
#> 6 build-tools hand
#> 8 pip-cache safe
#> 9 copy-all look
#> 10 chown-layer hand
