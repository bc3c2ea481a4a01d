"""Honest mail in many scripts and of many kinds, generated: what a starter model must not label."""

from __future__ import annotations

import base64
import quopri
import random
from dataclasses import dataclass
from email.header import Header

DATE = "Mon, 23 Nov 2026 10:%02d:00 +0000"


@dataclass(frozen=True)
class Language:
    """charset: what is used besides UTF-8. greeting, sentences, subject: of everyday mail."""

    name: str
    charset: str
    greeting: str
    sentences: tuple[str, ...]
    subject: str


LANGUAGES = (
    Language(
        "English",
        "iso-8859-1",
        "Dear Ann,",
        (
            "the meeting on Tuesday has moved to ten o'clock.",
            "Please find the minutes of last week below.",
            "I will send the revised drawings before Friday.",
            "Could you check the second table once more?",
            "The train leaves at half past eight from platform four.",
            "Thank you for the quick answer and best regards.",
        ),
        "Meeting on Tuesday",
    ),
    Language(
        "German",
        "iso-8859-15",
        "Liebe Anna,",
        (
            "die Besprechung am Dienstag beginnt erst um zehn Uhr.",
            "Unten findest du das Protokoll der letzten Woche.",
            "Die geänderten Zeichnungen schicke ich vor Freitag.",
            "Kannst du die zweite Tabelle noch einmal prüfen?",
            "Der Zug fährt um halb neun von Gleis vier ab.",
            "Vielen Dank für die schnelle Antwort und viele Grüße.",
        ),
        "Besprechung am Dienstag",
    ),
    Language(
        "Greek",
        "iso-8859-7",
        "Αγαπητή Άννα,",
        (
            "η συνάντηση της Τρίτης μεταφέρθηκε στις δέκα.",
            "Παρακάτω θα βρεις τα πρακτικά της περασμένης εβδομάδας.",
            "Θα στείλω τα διορθωμένα σχέδια πριν από την Παρασκευή.",
            "Μπορείς να ελέγξεις ξανά τον δεύτερο πίνακα;",
            "Το τρένο φεύγει στις οκτώ και μισή από την τέταρτη γραμμή.",
            "Ευχαριστώ για την γρήγορη απάντηση, χαιρετισμούς.",
        ),
        "Συνάντηση την Τρίτη",
    ),
    Language(
        "Russian",
        "koi8-r",
        "Здравствуйте, Анна!",
        (
            "встреча во вторник перенесена на десять часов.",
            "Ниже вы найдёте протокол прошлой недели.",
            "Исправленные чертежи я пришлю до пятницы.",
            "Проверьте, пожалуйста, вторую таблицу ещё раз.",
            "Поезд отправляется в половине девятого с четвёртого пути.",
            "Спасибо за быстрый ответ, с уважением, Иван.",
        ),
        "Встреча во вторник",
    ),
    Language(
        "Ukrainian",
        "windows-1251",
        "Доброго дня, Ганно!",
        (
            "зустріч у вівторок перенесено на десяту годину.",
            "Нижче ви знайдете протокол минулого тижня.",
            "Виправлені креслення надішлю до п'ятниці.",
            "Перевірте, будь ласка, другу таблицю ще раз.",
            "Потяг вирушає о пів на дев'яту з четвертої колії.",
            "Дякую за швидку відповідь, з повагою, Іван.",
        ),
        "Зустріч у вівторок",
    ),
    Language(
        "Japanese",
        "iso-2022-jp",
        "田中様",
        (
            "火曜日の会議は十時からに変更になりました。",
            "先週の議事録を下に付けます。",
            "修正した図面は金曜日までにお送りします。",
            "二番目の表をもう一度確認していただけますか。",
            "電車は八時半に四番線から出発します。",
            "早速のお返事ありがとうございます。よろしくお願いします。",
        ),
        "火曜日の会議について",
    ),
    Language(
        "Chinese",
        "gb2312",
        "王老师：",
        (
            "星期二的会议改到上午十点。",
            "上周的会议记录附在下面。",
            "修改后的图纸我会在星期五之前寄出。",
            "请您再检查一下第二张表格。",
            "火车八点半从四号站台开出。",
            "谢谢您的及时回复，祝好。",
        ),
        "星期二的会议",
    ),
    Language(
        "Korean",
        "euc-kr",
        "안녕하세요, 김 선생님.",
        (
            "화요일 회의가 열 시로 변경되었습니다.",
            "지난주 회의록을 아래에 붙입니다.",
            "수정한 도면은 금요일 전에 보내 드리겠습니다.",
            "두 번째 표를 다시 한 번 확인해 주시겠습니까?",
            "기차는 여덟 시 반에 사 번 승강장에서 출발합니다.",
            "빠른 답변 감사합니다. 안녕히 계십시오.",
        ),
        "화요일 회의 안내",
    ),
    Language(
        "Arabic",
        "windows-1256",
        "السيدة آنا المحترمة،",
        (
            "تم تأجيل اجتماع يوم الثلاثاء إلى الساعة العاشرة.",
            "تجدين أدناه محضر الأسبوع الماضي.",
            "سأرسل الرسوم المعدلة قبل يوم الجمعة.",
            "هل يمكنك مراجعة الجدول الثاني مرة أخرى؟",
            "يغادر القطار في الثامنة والنصف من الرصيف الرابع.",
            "شكرا على الرد السريع مع أطيب التحيات.",
        ),
        "اجتماع يوم الثلاثاء",
    ),
    Language(
        "Hebrew",
        "iso-8859-8",
        "שלום אנה,",
        (
            "הפגישה ביום שלישי נדחתה לשעה עשר.",
            "בהמשך תמצאי את הפרוטוקול מהשבוע שעבר.",
            "אשלח את השרטוטים המתוקנים לפני יום שישי.",
            "אפשר לבדוק שוב את הטבלה השנייה?",
            "הרכבת יוצאת בשמונה וחצי מרציף ארבע.",
            "תודה על התשובה המהירה, בברכה.",
        ),
        "פגישה ביום שלישי",
    ),
    Language(
        "Hindi",
        "utf-8",
        "प्रिय आना जी,",
        (
            "मंगलवार की बैठक अब दस बजे होगी।",
            "पिछले सप्ताह का कार्यवृत्त नीचे है।",
            "संशोधित चित्र मैं शुक्रवार से पहले भेजूँगा।",
            "कृपया दूसरी तालिका एक बार फिर देख लें।",
            "गाड़ी साढ़े आठ बजे चौथे प्लेटफ़ॉर्म से चलती है।",
            "जल्दी उत्तर देने के लिए धन्यवाद।",
        ),
        "मंगलवार की बैठक",
    ),
    Language(
        "Thai",
        "tis-620",
        "เรียน คุณอันนา",
        (
            "การประชุมวันอังคารเลื่อนเป็นสิบโมงเช้า",
            "รายงานการประชุมสัปดาห์ที่แล้วอยู่ด้านล่าง",
            "ผมจะส่งแบบที่แก้ไขแล้วก่อนวันศุกร์",
            "ช่วยตรวจตารางที่สองอีกครั้งได้ไหมครับ",
            "รถไฟออกแปดโมงครึ่งจากชานชาลาที่สี่",
            "ขอบคุณที่ตอบเร็ว ด้วยความนับถือ",
        ),
        "ประชุมวันอังคาร",
    ),
)

KINDS = (
    "letter",
    "HTML letter",
    "reply",
    "list mail",
    "newsletter",
    "invoice",
    "calendar",
    "delivery report",
)
ENCODINGS = ("utf-8 base64", "utf-8 quoted-printable", "own charset")


def honest_mail(language: Language, kind: str, encoding: str, seed: int) -> bytes:
    """One message. encoding: one of `ENCODINGS`; kind: one of `KINDS`."""
    chance = random.Random(f"{language.name} {kind} {encoding} {seed}")
    charset = language.charset if encoding == "own charset" else "utf-8"
    text = [language.greeting, "", *chance.sample(language.sentences, 5)]
    subject = language.subject
    more: list[str] = []
    if kind == "reply":
        subject = f"Re: {subject}"
        more = [f"In-Reply-To: <{seed}.1@example.net>", f"References: <{seed}.1@example.net>"]
        text += ["", *(f"> {line}" for line in chance.sample(language.sentences, 3))]
    elif kind == "list mail":
        more = ["List-Id: <team.lists.example.org>", "Precedence: list"]
        text += ["", "_" * 47, "team mailing list", "https://lists.example.org/team"]
    elif kind == "newsletter":
        more = ["List-Unsubscribe: <https://news.example.org/off>", "List-Id: <news.example.org>"]
        text += [*chance.sample(language.sentences, 4), "https://news.example.org/november"]
    elif kind == "invoice":
        text += [f"No. 2026-{seed:04d}   {chance.randrange(20, 900)},00 EUR", "IBAN DE00 0000"]
    head = [
        "Received: from mail.example.net (mail.example.net [192.0.2.7]) by mx.example.org",
        f"\tfor <anna@example.org>; {DATE % (seed % 60)}",
        f"From: {encoded('Anna', charset)} <ann{seed}@example.net>",
        "To: anna@example.org",
        f"Subject: {encoded(subject, charset)}",
        f"Date: {DATE % (seed % 60)}",
        f"Message-ID: <{seed}.{kind[:3]}@example.net>",
        "MIME-Version: 1.0",
        *more,
    ]
    body = body_of("\n".join(text) + "\n", charset, encoding)
    if kind == "HTML letter":
        head += ["X-Mailer: Microsoft Outlook Express 6.00.2900.2180", "X-Priority: 3"]
        return multipart(head, "alternative", [body, body_of(html(text), charset, encoding)])
    if kind == "calendar":
        return multipart(head, "mixed", [body, body_of(event(subject, seed), charset, encoding)])
    if kind == "delivery report":
        head[2] = "From: MAILER-DAEMON@example.net (Mail Delivery System)"
        status = "Reporting-MTA: dns; example.net\n\nFinal-Recipient: rfc822; joe@example.com\n"
        status += "Action: failed\nStatus: 5.1.1\n"
        parts = [
            body,
            b"Content-Type: message/delivery-status\n\n" + status.encode(),
            b"Content-Type: message/rfc822\n\n" + honest_mail(language, "letter", encoding, seed),
        ]
        return multipart(head, "report; report-type=delivery-status", parts)
    return "\n".join(head).encode("ascii") + b"\n" + body


def encoded(text: str, charset: str) -> str:
    """A field's text, as encoded words where it needs them."""
    return text if text.isascii() else Header(text, charset).encode()


def html(lines: list[str]) -> str:
    """A letter as a mail program of an office writes it."""
    style = "<FONT face=Arial size=2>"
    text = "\n".join(f"<DIV>{style}{line or '&nbsp;'}</FONT></DIV>" for line in lines)
    return f"<HTML><HEAD><STYLE></STYLE></HEAD><BODY bgColor=#ffffff>\n{text}\n</BODY></HTML>\n"


def event(summary: str, seed: int) -> str:
    """A calendar's event."""
    lines = ("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", f"UID:{seed}@example.net")
    when = ("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z", f"SUMMARY:{summary}")
    return "\n".join((*lines, *when, "END:VEVENT", "END:VCALENDAR")) + "\n"


def body_of(text: str, charset: str, encoding: str) -> bytes:
    """A text part: its header fields and its content."""
    data = text.encode(charset, errors="replace")
    if encoding.endswith("base64"):
        transfer, data = "base64", base64.encodebytes(data)
    elif encoding.endswith("printable"):
        transfer, data = "quoted-printable", quopri.encodestring(data)
    else:
        transfer = "7bit" if charset == "iso-2022-jp" else "8bit"
    kinds = {"BEGIN": "text/calendar; method=REQUEST", "<HTML": "text/html"}
    kind = kinds.get(text[:5], "text/plain")
    head = f"Content-Type: {kind}; charset={charset}\nContent-Transfer-Encoding: {transfer}\n\n"
    return head.encode("ascii") + data


def multipart(head: list[str], kind: str, parts: list[bytes]) -> bytes:
    """A message of several parts."""
    line = b"--next\n"
    top = "\n".join([*head, f'Content-Type: multipart/{kind}; boundary="next"', "", ""])
    return top.encode("ascii") + line + (b"\n" + line).join(parts) + b"\n--next--\n"
