"""What the pages say, in each language. `{topic}` and `{organisation}` are filled in, and escaped, by the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words."""

    leave_title: str
    leave_question: str
    leave_all_question: str
    leave_these_question: str
    leave_note: str
    leave_button: str
    all_button: str
    left_title: str
    left_topic: str
    left_all: str
    left_note: str
    undo_button: str
    undone_title: str
    undone_note: str
    unknown_title: str
    unknown_note: str
    link_title: str
    link_note: str
    later_title: str
    later_note: str
    later_button: str


ENGLISH = Words(
    leave_title="Unsubscribe",
    leave_question="Stop receiving {topic} by email?",
    leave_all_question="Stop receiving email from {organisation}?",
    leave_these_question="Stop receiving these emails?",
    leave_note="Nothing has changed yet. Other topics you chose are not affected.",
    leave_button="Unsubscribe",
    all_button="Stop all email from {organisation}",
    left_title="You are unsubscribed",
    left_topic="We will not send you {topic} any more.",
    left_all="We will not send you any more email.",
    left_note="A message that is already on its way may still arrive.",
    undo_button="That was a mistake, keep me subscribed",
    undone_title="You are still subscribed",
    undone_note="Everything is as it was before. You can close this page.",
    unknown_title="This link does not work",
    unknown_note="It may have been cut off on its way. Please open it from the email again, or reply to the email "
    "and we will help.",
    link_title="This link does not lead anywhere",
    link_note="It may have been cut off on its way. Please open it from the email again.",
    later_title="Please try again in a moment",
    later_note="We could not do this just now, and nothing has been changed.",
    later_button="Try again",
)

SPANISH = Words(
    leave_title="Darse de baja",
    leave_question="¿Dejar de recibir {topic} por correo electrónico?",
    leave_all_question="¿Dejar de recibir correos de {organisation}?",
    leave_these_question="¿Dejar de recibir estos correos?",
    leave_note="Todavía no ha cambiado nada. Los demás temas que eligió no se ven afectados.",
    leave_button="Darme de baja",
    all_button="No recibir más correos de {organisation}",
    left_title="Se ha dado de baja",
    left_topic="Ya no le enviaremos {topic}.",
    left_all="Ya no le enviaremos más correos.",
    left_note="Es posible que aún le llegue algún mensaje que ya está en camino.",
    undo_button="Fue un error, quiero seguir suscrito",
    undone_title="Su suscripción continúa",
    undone_note="Todo está como antes. Puede cerrar esta página.",
    unknown_title="Este enlace no funciona",
    unknown_note="Puede que se haya cortado por el camino. Ábralo de nuevo desde el correo o responda al correo y le "
    "ayudaremos.",
    link_title="Este enlace no lleva a ninguna parte",
    link_note="Puede que se haya cortado por el camino. Ábralo de nuevo desde el correo.",
    later_title="Inténtelo de nuevo en un momento",
    later_note="No hemos podido hacerlo ahora y no se ha cambiado nada.",
    later_button="Intentarlo de nuevo",
)

GERMAN = Words(
    leave_title="Abmelden",
    leave_question="{topic} nicht mehr per E-Mail erhalten?",
    leave_all_question="Keine E-Mails von {organisation} mehr erhalten?",
    leave_these_question="Diese E-Mails nicht mehr erhalten?",
    leave_note="Noch ist nichts geändert. Andere Themen, die Sie gewählt haben, bleiben bestehen.",
    leave_button="Abmelden",
    all_button="Keine E-Mails von {organisation} mehr",
    left_title="Sie sind abgemeldet",
    left_topic="Wir senden Ihnen {topic} nicht mehr.",
    left_all="Wir senden Ihnen keine E-Mails mehr.",
    left_note="Eine Nachricht, die schon unterwegs ist, kann noch ankommen.",
    undo_button="Das war ein Versehen, ich bleibe angemeldet",
    undone_title="Sie bleiben angemeldet",
    undone_note="Alles ist wie vorher. Sie können diese Seite schließen.",
    unknown_title="Dieser Link funktioniert nicht",
    unknown_note="Vielleicht wurde er unterwegs abgeschnitten. Öffnen Sie ihn bitte noch einmal aus der E-Mail, oder "
    "antworten Sie auf die E-Mail, wir helfen gern.",
    link_title="Dieser Link führt nirgendwohin",
    link_note="Vielleicht wurde er unterwegs abgeschnitten. Öffnen Sie ihn bitte noch einmal aus der E-Mail.",
    later_title="Bitte versuchen Sie es gleich noch einmal",
    later_note="Das ging gerade nicht, und es wurde nichts geändert.",
    later_button="Noch einmal versuchen",
)

LANGUAGES = {"en": ENGLISH, "es": SPANISH, "de": GERMAN}


def choose(accept_language: str, *, otherwise: str) -> str:
    """The reader's best language among ours (RFC 9110, 12.5.4), or the campaign's, or English."""
    wishes: list[tuple[float, int, str]] = []
    for place, item in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = item.strip().partition(";q=")
        code = tag.split("-")[0].strip().lower()
        if code in LANGUAGES:
            wishes.append((-_quality(quality), place, code))
    if wishes and min(wishes)[0] < 0:
        return min(wishes)[2]
    fallback = otherwise.split("-")[0].lower()
    return fallback if fallback in LANGUAGES else "en"


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
