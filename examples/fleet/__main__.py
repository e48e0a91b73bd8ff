"""Many deployments from one YAML file."""

from pathlib import Path

import catalogue
import pulumi
from model_service import ModelService

try:
    fleet = catalogue.read(Path(__file__).with_name("fleet.yaml"))
except catalogue.FleetError as error:
    raise pulumi.RunError(str(error)) from None

services = {}
for name, model in fleet.models.items():
    services[name] = ModelService(name, model)

pulumi.export("urls", {name: service.url for name, service in services.items()})
