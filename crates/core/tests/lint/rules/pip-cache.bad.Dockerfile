FROM python:3.12-slim
RUN pip install -r requirements.txt
RUN python3 -m pip install --upgrade pip && pip3.12 install flask
RUN uv pip install --system -r requirements.txt
RUN uv sync --no-dev --frozen
RUN poetry install --only main
ENV PIP_NO_CACHE_DIR=0
RUN ["pip", "install", "gunicorn"]
#> 2 pip-cache safe
#> 3 pip-cache safe
#> 4 pip-cache safe
#> 5 pip-cache safe
#> 6 pip-cache safe
#> 8 pip-cache hand
