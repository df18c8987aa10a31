import yaml

print(yaml.safe_load("greeting: Hello from YAML")["greeting"])
