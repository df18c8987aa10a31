ARG PYTHON=3.12
FROM docker.io/library/python:${PYTHON}
CMD ["python"]
#> 2 fat-base look
