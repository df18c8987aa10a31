# escape=`
FROM mcr.microsoft.com/windows/servercore:ltsc2022
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
RUN Invoke-WebRequest -Uri https://example.com/python.zip -OutFile C:\python.zip ; `
    Expand-Archive C:\python.zip -DestinationPath C:\Python ; `
    Remove-Item C:\python.zip -Force
WORKDIR C:\app
COPY requirements.txt C:\app\
RUN pip install -r requirements.txt
CMD ["python", "app.py"]
