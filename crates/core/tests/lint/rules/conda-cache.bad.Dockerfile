FROM continuumio/miniconda3
RUN conda install -y numpy
#> 2 conda-cache safe
