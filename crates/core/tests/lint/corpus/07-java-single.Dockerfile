FROM maven:3.8-openjdk-17
COPY . /usr/src/app
WORKDIR /usr/src/app
RUN mvn clean package
EXPOSE 8080
CMD ["java", "-jar", "target/app.jar"]
#> 2 copy-all look
#> 4 no-multi-stage hand
