import numpy

print("Hello from numpy:", int(numpy.arange(10).sum()))
