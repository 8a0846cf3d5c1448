"""What the page says of faults and causes, in words for somebody who answers the telephone."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from transport.causes import Cause

from .judgement import Side
from .own_faults import OwnFault

CONCLUSIONS: Final[dict[Side, Promise]] = {
    Side.OURS: lazy("Felet ligger hos oss. Kontakta driften."),
    Side.FEDERATION: lazy(
        "Felet ligger troligen i federationens tjänster. Meddelanden skickas när tjänsterna svarar igen."
    ),
    Side.COUNTERPART: lazy(
        "Felet ligger troligen hos motparten. Meddelanden dit skickas igen med jämna mellanrum."
    ),
}
OWN_FAULTS: Final[dict[OwnFault, Promise]] = {
    OwnFault.STALLED: lazy("Arbete har väntat i %(number)s minuter utan att någon process har tagit det."),
    OwnFault.BROKER_AWAY: lazy("Meddelandekön (Redis eller Valkey) svarar inte. Allt tar längre tid."),
    OwnFault.SCANNER_AWAY: lazy("Meddelanden som väntar på kontrollen av skadlig kod: %(number)s."),
    OwnFault.SET_ASIDE: lazy("Inkomna meddelanden som är lagda åt sidan efter ett fel här: %(number)s."),
    OwnFault.EXAMINATION: lazy("Driftkontrollen hittade fel: %(checks)s."),
}
CAUSES: Final[dict[Cause, Promise]] = {
    Cause.PARTICIPANT_UNKNOWN: lazy("finns inte i federationens register"),
    Cause.DOCUMENT_TYPE_NOT_SERVED: lazy("tar inte emot sådana meddelanden enligt sina uppgifter"),
    Cause.CERTIFICATE_NOT_PUBLISHED: lazy("har inget publicerat certifikat att kryptera till"),
    Cause.METADATA_UNTRUSTED: lazy("dess uppgifter i registret är inte rätt signerade"),
    Cause.LOOKUP_UNAVAILABLE: lazy("registret över dess accesspunkt svarar inte"),
    Cause.REVOCATION_UNKNOWN: lazy("tjänsten som säger om certifikat är spärrade svarar inte"),
    Cause.RECIPIENT_CERTIFICATE_UNTRUSTED: lazy("dess certifikat godtas inte"),
    Cause.NO_SIGNING_KEY: lazy("vi saknar giltig nyckel att signera med"),
    Cause.SCANNER_UNAVAILABLE: lazy("vår kontroll av skadlig kod svarar inte"),
    Cause.ACCESS_POINT_UNTRUSTED: lazy("dess accesspunkts certifikat godtas inte"),
    Cause.UNREACHABLE: lazy("dess accesspunkt svarar inte"),
    Cause.RECEIPT_INVALID: lazy("dess accesspunkt svarar fel"),
    Cause.RECEIPT_UNTRUSTED: lazy("dess accesspunkts kvittens är inte rätt signerad"),
    Cause.NOT_SERVICED: lazy("dess accesspunkt säger att den inte betjänar mottagaren"),
    Cause.REFUSED: lazy("dess accesspunkt avvisar meddelanden"),
    Cause.UNEXPECTED: lazy("ett oväntat fel hos oss"),
}
