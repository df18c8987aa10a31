FROM fedora:40
RUN dnf -y install nginx
RUN microdnf install -y shadow-utils
RUN zypper --non-interactive install vim
#> 2 dnf-cache safe
#> 3 dnf-cache safe
#> 4 dnf-cache safe
