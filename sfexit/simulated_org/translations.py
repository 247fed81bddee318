"""Labels in other languages: what Translation Workbench and the standard labels would give."""

from __future__ import annotations

from functools import lru_cache

LANGUAGES = ("en_US", "de", "fr", "ja")
_WORDS = {
    "Account": ("Kunde", "Compte", "取引先"),
    "Contact": ("Kontakt", "Contact", "取引先責任者"),
    "Opportunity": ("Verkaufschance", "Opportunité", "商談"),
    "Case": ("Vorgang", "Requête", "ケース"),
    "Lead": ("Interessent", "Piste", "リード"),
    "Task": ("Aufgabe", "Tâche", "ToDo"),
    "Event": ("Ereignis", "Événement", "行動"),
    "User": ("Benutzer", "Utilisateur", "ユーザー"),
    "Product": ("Produkt", "Produit", "商品"),
    "Name": ("Name", "Nom", "名前"),
    "Type": ("Typ", "Type", "種別"),
    "Status": ("Status", "Statut", "状況"),
    "Description": ("Beschreibung", "Description", "説明"),
    "Owner": ("Inhaber", "Propriétaire", "所有者"),
    "Amount": ("Betrag", "Montant", "金額"),
    "Date": ("Datum", "Date", "日付"),
    "Phone": ("Telefon", "Téléphone", "電話"),
    "Street": ("Straße", "Rue", "町名・番地"),
    "City": ("Ort", "Ville", "市区郡"),
    "Country": ("Land", "Pays", "国"),
    "Created": ("Erstellt", "Créé", "作成"),
    "Deleted": ("Gelöscht", "Supprimé", "削除"),
    "History": ("Verlauf", "Historique", "履歴"),
    "Share": ("Freigabe", "Partage", "共有"),
    "Invoice": ("Rechnung", "Facture", "請求書"),
    "Customer": ("Kunde", "Client", "顧客"),
    "New": ("Neu", "Nouveau", "新規"),
    "Closed": ("Geschlossen", "Clos", "完了"),
    "Hot": ("Heiß", "Chaud", "高"),
    "Cold": ("Kalt", "Froid", "低"),
}


@lru_cache(maxsize=8192)
def translated(label: str, language: str) -> str:
    """A label in another language, word by word; unknown words stay as they are."""
    short = language[:2]
    if short not in ("de", "fr", "ja"):
        return label
    column = ("de", "fr", "ja").index(short)
    words = [_WORDS[w][column] if w in _WORDS else w for w in label.split(" ")]
    return " ".join(words)


def language_of(accept: str, default: str = "en_US") -> str:
    """The first language of an Accept-Language header this org speaks, else the default."""
    for part in accept.split(","):
        wanted = part.split(";")[0].strip().replace("-", "_")
        for language in LANGUAGES:
            if wanted.lower() == language.lower() or (
                wanted.lower() == language[:2] or wanted[:2].lower() == language
            ):
                return language
    return default
