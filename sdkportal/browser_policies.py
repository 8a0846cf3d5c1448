"""What pages may load and use in a browser: Content-Security-Policy and Permissions-Policy."""

from typing import Any, Final

from csp.constants import NONE, SELF

from . import environment

# No page uses them: so neither does a frame, or a script that was smuggled in.
_UNUSED_FEATURES: Final = (
    *("accelerometer", "autoplay", "bluetooth", "camera", "display-capture", "encrypted-media"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi"),
    *("payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial"),
    *("usb", "xr-spatial-tracking"),
)


def content_security_policy(*, logout_endpoint: str) -> dict[str, Any]:
    """CONTENT_SECURITY_POLICY: nothing inline, nothing from other servers. A view may set a stricter one."""
    return {
        "DIRECTIVES": {
            "default-src": [NONE],
            "script-src": [SELF],
            "style-src": [SELF],
            "img-src": [SELF, "data:"],
            "font-src": [SELF],
            "connect-src": [SELF],
            "frame-src": [SELF],
            # The form for logging out is redirected to the e-ID provider.
            "form-action": [SELF, *environment.origins(logout_endpoint)],
            "frame-ancestors": [NONE],
            "base-uri": [NONE],
            "manifest-src": [SELF],
        }
    }


def permissions_policy() -> dict[str, list[str]]:
    """PERMISSIONS_POLICY: features that no origin may use."""
    return {feature: [] for feature in _UNUSED_FEATURES}
