from django.apps import AppConfig


class DoctorConfig(AppConfig):
    name = "sdkportal.doctor"
    label = "doctor"
