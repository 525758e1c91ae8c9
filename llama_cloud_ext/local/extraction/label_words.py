"""The words of labels and field names, brought to one form whatever the language and the abbreviation.

The vocabulary is that of business documents in English, German and French. It maps words to words; that two phrases
mean the same ("amount due" and "total") is in `PHRASES`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "№": " number ", "°": " "})
_WORD = re.compile(r"[^\W\d_]+|#")
_NAME_PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IDENTIFIER = re.compile(r"[a-z][A-Za-z0-9_]*|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+")
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")

_FILLERS = """
    a an the of for on at by and or is are your our my this that please
    der die das des dem den von vom zu zum zur im am an und oder mit fuer ihre unsere
    le la les l de du d au aux et ou en sur pour votre notre
"""
_STOP = frozenset(_FILLERS.split())
"""Words that carry nothing in a label. "to", "from" and "with" do: "bill to", "with VAT"."""

_WORDS = {
    "number": "no nr num nummer numero number # n № numéro",
    "id": "id idnr identification identifier identifikationsnummer identifiant ident",
    "invoice": "invoice inv rechnung rechnungs facture factura",
    "receipt": "receipt quittung beleg recu",
    "order": "order bestellung auftrag commande bestell auftrags",
    "date": "date datum dated",
    "due": "due faellig faelligkeit echeance payable",
    "amount": "amount betrag montant amt",
    "total": "total gesamt totale totals totaux gesamtsumme endsumme sum summe",
    "subtotal": "subtotal nettobetrag zwischensumme soustotal nettosumme",
    "net": "net netto ht nets",
    "gross": "gross brutto ttc bruttobetrag",
    "vat": "vat ust mwst umsatzsteuer mehrwertsteuer tva iva gst",
    "tax": "tax steuer taxe taxes impot",
    "rate": "rate satz taux steuersatz",
    "quantity": "quantity qty menge anzahl quantite qte pcs units",
    "price": "price preis prix",
    "unit": "unit einheit unitaire einzel unite each",
    "description": "description desc beschreibung bezeichnung designation libelle leistung",
    "customer": "customer kunde client kunden rechnungsempfaenger buyer acheteur kaeufer",
    "seller": "seller vendor supplier verkaeufer lieferant vendeur fournisseur merchant",
    "delivery": "delivery lieferung livraison shipping liefer versand",
    "email": "email mail courriel",
    "phone": "phone telephone tel telefon mobile mob handy cell",
    "fax": "fax telefax",
    "address": "address adresse anschrift addr",
    "name": "name nom",
    "street": "street strasse rue",
    "city": "city ort ville stadt town",
    "zip": "zip postcode plz postal",
    "country": "country land pays",
    "website": "website web url homepage internet",
    "currency": "currency waehrung devise monnaie",
    "payment": "payment zahlung paiement zahlungs",
    "terms": "terms bedingungen conditions",
    "contract": "contract vertrag contrat",
    "project": "project projekt projet",
    "reference": "reference ref referenz",
    "discount": "discount rabatt remise skonto",
    "item": "item artikel article pos position",
    "expires": "expires expiry expiration expire gueltig",
    "birth": "birth birthday geburt naissance",
    "change": "change rueckgeld",
    "cash": "cash bar bargeld especes",
    "note": "note notes bemerkung remarque remark remarks comment comments",
    "balance": "balance saldo solde",
    "account": "account konto compte acct",
    "subject": "subject betreff objet",
}
_COMPOUNDS = {
    "rechnungsnummer": "invoice number",
    "rechnungsnr": "invoice number",
    "rechnungsdatum": "invoice date",
    "rechnungsbetrag": "invoice amount",
    "gesamtbetrag": "total amount",
    "kundennummer": "customer number",
    "kundennr": "customer number",
    "bestellnummer": "order number",
    "auftragsnummer": "order number",
    "lieferdatum": "delivery date",
    "lieferscheinnummer": "delivery number",
    "leistungsdatum": "service date",
    "faelligkeitsdatum": "due date",
    "einzelpreis": "unit price",
    "stueckpreis": "unit price",
    "gesamtpreis": "total price",
    "geburtsdatum": "birth date",
    "dob": "birth date",
    "birthdate": "birth date",
    "ustidnr": "vat id",
    "ustid": "vat id",
    "umsatzsteueridentifikationsnummer": "vat id",
    "steuernummer": "tax number",
    "zahlungsbedingungen": "payment terms",
    "mehrwertsteuerbetrag": "vat amount",
    "projektnummer": "project number",
    "vertragsnummer": "contract number",
    "swift": "bic",
    "pu": "unit price",
    "po": "purchase order",
}
_CANONICAL = {word: canonical for canonical, words in _WORDS.items() for word in words.split()} | _COMPOUNDS

_LABEL_WORDS = frozenset(_CANONICAL.values()) | {part for phrase in _COMPOUNDS.values() for part in phrase.split()}

PHRASES = (
    (
        "total",
        "total due",
        "amount due",
        "total amount",
        "total amount due",
        "grand total",
        "invoice amount",
        "invoice total",
        "total invoice amount",
        "balance due",
        "total to pay",
        "total payable",
        "amount payable",
        "net a payer",
        "total gross",
        "gross amount",
        "total price",
    ),
    ("subtotal", "net amount", "total net", "net total", "sub total", "total excluding vat", "total before vat"),
    ("vat amount", "vat", "total vat", "vat total"),
    ("customer", "bill to", "billed to", "invoice to", "invoiced to", "customer name", "sold to", "billing to"),
    ("vat id", "vat number", "vat id number", "vat intra number", "vat registration number", "vat reg number"),
    ("due date", "due", "due bis", "date due", "due by", "payment due", "payment due date", "due on"),
    ("unit price", "unit", "per unit", "price unit", "price per unit", "price per one", "unit cost", "unit amount"),
    ("line total", "amount", "total", "total price", "total amount"),
    ("purchase order", "purchase order number", "order purchase number"),
    ("email", "email address", "e mail"),
    ("phone", "phone number"),
    ("zip", "zip code"),
    ("sender", "from"),
    ("recipient", "to"),
    ("birth date", "date birth"),
    ("expiration date", "expires", "approval expires", "valid until"),
)
"""Groups of phrases that mean the same where they stand as labels."""


@lru_cache(maxsize=20_000)
def words_of_label(text: str) -> tuple[str, ...]:
    """The words of a label or a field name that carry its meaning, in one form.

    Example:
        >>> words_of_label("Rechnungsdatum:"), words_of_label("invoiceDate"), words_of_label("Date of the invoice")
        (('invoice', 'date'), ('invoice', 'date'), ('date', 'invoice'))
    """
    words = _all_words(text)
    return tuple(word for word in words if word not in _STOP) or tuple(words)


def is_vocabulary(text: str) -> bool:
    """Whether a text has nothing but words of labels: it is one, and not the value of another.

    Example:
        >>> is_vocabulary("Unit price"), is_vocabulary("Nike Air Max"), is_vocabulary("12")
        (True, False, False)
    """
    words = words_of_label(text)
    return bool(words) and all(word in _LABEL_WORDS for word in words) and not any(map(str.isdigit, text))


def _all_words(text: str) -> list[str]:
    text = _ASIDE.sub(" ", text)
    text = _NAME_PARTS.sub(" ", text) if _IDENTIFIER.fullmatch(text) else text
    text = folded(text)
    text = re.sub(r"\be[\s-]?mail", "email", text)
    text = re.sub(r"\bust\.?[\s-]*id\.?[\s-]*(?:nr|nummer)?\b\.?", "ustid", text)
    text = re.sub(r"\b(?:p\.\s?u\.|p\.o\.)", lambda match: match[0].replace(".", "").replace(" ", ""), text)
    words: list[str] = []
    for word in _WORD.findall(text):
        words += _CANONICAL.get(word, word).split()
    return words


def folded(text: str) -> str:
    """Lower case without diacritics; umlauts as the two letters that stand for them.

    Example:
        >>> folded("Fällig à l'échéance")
        "faellig a l'echeance"
    """
    text = text.lower()
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_UMLAUTS)
    return "".join(part for part in unicodedata.normalize("NFKD", text) if not unicodedata.combining(part))
