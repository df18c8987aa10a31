module example.org/whit/links

go 1.22
