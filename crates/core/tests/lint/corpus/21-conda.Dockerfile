FROM continuumio/miniconda3:24.1.2-0
COPY environment.yml /tmp/environment.yml
RUN conda env create -f /tmp/environment.yml
SHELL ["conda", "run", "-n", "app", "/bin/bash", "-c"]
RUN pip install torch
COPY src /src
CMD ["conda", "run", "-n", "app", "python", "/src/main.py"]
#> 3 conda-cache safe
#> 5 pip-cache safe
