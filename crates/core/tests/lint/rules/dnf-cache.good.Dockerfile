FROM fedora:40
RUN dnf -y install nginx && dnf clean all
RUN yum install -y nginx && yum clean all && rm -rf /var/cache/yum
RUN --mount=type=cache,target=/var/cache/dnf dnf install -y nginx
RUN zypper -n in vim && zypper clean -a
