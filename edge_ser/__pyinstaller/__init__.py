"""What PyInstaller must know to freeze a program that uses edge-ser; it asks by itself."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Folders with hooks; PyInstaller finds this through the entry point ``pyinstaller40``."""
    return [str(Path(__file__).parent)]
