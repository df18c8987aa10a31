FROM registry.access.redhat.com/ubi9/ubi-minimal:9.4
ARG APP_HOME=/opt/app
USER root
RUN microdnf install -y java-17-openjdk-headless shadow-utils tar gzip \
 && useradd -r -u 1001 app
COPY target/app.jar ${APP_HOME}/app.jar
COPY agent.tar.gz /tmp/agent.tar.gz
RUN tar -xzf /tmp/agent.tar.gz -C ${APP_HOME} \
 && rm -f /tmp/agent.tar.gz \
 && chown -R app:0 $APP_HOME && chmod -R g=u $APP_HOME
USER 1001
CMD ["java", "-jar", "/opt/app/app.jar"]
#> 4 dnf-cache safe
#> 7 archive-left hand
#> 8 chown-layer hand
#> 8 chown-layer hand
