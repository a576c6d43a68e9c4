"""The text of a configuration file, for `hangbot init` and for the example in the repository."""

from collections.abc import Mapping
from typing import Final

from hangbot.config.envfile import quoted
from hangbot.config.fields import Need
from hangbot.config.table import ENV, SettingsTable

__all__ = ["render_env_file"]

_HEADINGS: Final = {
    Need.REQUIRED: "Required",
    Need.DERIVED: "Derived where not set",
    Need.OPTIONAL: "Optional",
}


def render_env_file(values: Mapping[str, str]) -> str:
    """Return the text of a configuration file: every name under one line of comment, by need.

    Args:
        values: Text by environment name; a name that is left out is written without a value.

    Raises:
        KeyError: A name is not hangbot's.
    """
    if unknown := values.keys() - {env.name for env in ENV.values()}:
        raise KeyError(*unknown)
    parts = [
        "# The configuration of hangbot; read from hang-fm-config.env. That file is yours alone (chmod 600).",
        "# An empty value counts as not set. The environment wins over the file.",
    ]
    for need in Need:
        parts.append(f"\n# == {_HEADINGS[need]} ==")
        for field, env in ENV.items():
            if env.need is need:
                default = (
                    env.shown(SettingsTable.model_fields[field].default) if need is Need.OPTIONAL else "-"
                )
                added = f" Default: {default}." if default != "-" else ""
                added += f" If not set: {env.otherwise}." if env.otherwise else ""
                parts += ["", f"# {env.help}{added}", f"{env.name}={quoted(values.get(env.name, ''))}"]
    return "\n".join(parts) + "\n"
