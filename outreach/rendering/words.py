"""The few words of ours in every message's footer, in the message's language.

A layout reads them as `{{ why }}`, `{{ leave }}`, `{{ preferences }}` and `{{ view }}`, beside the other constants
below. A language we do not have falls back to English; the campaign's own words are never translated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LAYOUT_NAMES: Final = frozenset(
    {"organisation", "postal_address", "topic", "language", "direction", "start", "why", "leave", "preferences", "view"}
)
"""What a layout may print besides fields and personal addresses: the same for everybody."""

RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ps", "ur", "yi", "dv", "ckb"})


@dataclass(frozen=True, slots=True)
class Words:
    """`why` holds `{topic}` and `{organisation}`."""

    why: str
    leave: str
    preferences: str
    view: str
    drill: str
    """In front of an exercise's subject and text."""


_WORDS: Final = {
    "en": Words(
        "You get this because you asked {organisation} for news about {topic}.",
        "Unsubscribe",
        "Choose what you hear about",
        "Read this in your browser",
        "DRILL, not a real alarm",
    ),
    "es": Words(
        "Recibe este mensaje porque pidió a {organisation} noticias sobre {topic}.",
        "Cancelar la suscripción",
        "Elija los temas que le interesan",
        "Leer este mensaje en el navegador",
        "SIMULACRO, no es una alarma real",
    ),
    "de": Words(
        "Sie erhalten diese Nachricht, weil Sie bei {organisation} Neuigkeiten zu {topic} bestellt haben.",
        "Abmelden",
        "Themen auswählen",
        "Im Browser lesen",
        "ÜBUNG, kein echter Alarm",
    ),
    "fr": Words(
        "Vous recevez ce message parce que vous avez demandé à {organisation} des nouvelles sur {topic}.",
        "Se désabonner",
        "Choisir vos sujets",
        "Lire dans votre navigateur",
        "EXERCICE, pas une alerte réelle",
    ),
    "pt": Words(
        "Você recebe esta mensagem porque pediu a {organisation} notícias sobre {topic}.",
        "Cancelar a inscrição",
        "Escolher os seus temas",
        "Ler no navegador",
        "SIMULACRO, não é um alarme real",
    ),
    "vi": Words(
        "Quý vị nhận thư này vì đã đăng ký nhận tin về {topic} từ {organisation}.",
        "Hủy đăng ký",
        "Chọn chủ đề quý vị quan tâm",
        "Đọc trong trình duyệt",
        "DIỄN TẬP, không phải báo động thật",
    ),
    "zh": Words(
        "您收到此邮件，是因为您向{organisation}订阅了“{topic}”。",
        "退订",
        "选择您关心的主题",
        "在浏览器中阅读",
        "演习，并非真实警报",
    ),
    "ar": Words(
        "تصلك هذه الرسالة لأنك طلبت من {organisation} أخبارًا عن {topic}.",
        "إلغاء الاشتراك",
        "اختر المواضيع التي تهمك",
        "اقرأ الرسالة في المتصفح",
        "تدريب، وليس إنذارًا حقيقيًا",
    ),
}


def words(language: str) -> Words:
    return _WORDS.get(language.split("-", 1)[0].lower(), _WORDS["en"])


def direction(language: str) -> str:
    return "rtl" if language.split("-", 1)[0].lower() in RIGHT_TO_LEFT else "ltr"
