"""What the wheel's metadata take from elsewhere: its dependencies are requirements.in."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class RequirementsMetadataHook(MetadataHookInterface):
    """Hatchling calls it when it builds the wheel."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        lines = (Path(self.root) / "requirements.in").read_text().splitlines()
        named = (line.partition("#")[0].strip() for line in lines)
        metadata["dependencies"] = [line for line in named if line]
