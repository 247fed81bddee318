"""Small word lists that rows are made of; all names are invented."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


FIRST = _words(
    "Ada, Bruno, Chloé, Dmitri, Elif, Farid, Grete, Hana, Ines, Jonas, Karin, Luca, Mette, Nils, "
    "Olga, Priya, Quentin, Rosa, Stefan, Tuan, Uma, Viktor, Wanda, Ximena, Yusuf, Zoë, Björn, "
    "Siobhán, José, Łukasz, Åse, 美咲, 伟, Noor, Amara, Kofi"
)
LAST = _words(
    "Adler, Bauer, Castro, Dubois, Eriksen, Fischer, García, Haddad, Ivanova, Jensen, Kowalski, "
    "Lindqvist, Müller, Novak, O'Brien, Petrov, Quiroga, Rossi, Schmidt, Tanaka, Ueda, Vargas, "
    "Weber, Xu, Yılmaz, Zimmermann, de la Cruz, van der Berg, Nguyễn, Okafor, Smythe-Jones"
)
ASCII_FIRST = _words(
    "ada, bruno, chloe, dmitri, elif, farid, grete, hana, ines, jonas, karin, luca, mette, nils"
)
ASCII_LAST = _words(
    "adler, bauer, castro, dubois, eriksen, fischer, garcia, haddad, ivanova, jensen, kowalski"
)
COMPANY = _words(
    "Northwater, Alpenglow, Brightfield, Cedar & Stone, Delta Nine, Eastgate, Fjordline, Granite, "
    "Halcyon, Ironbridge, Juniper, Kestrel, Lakeside, Meridian, Nordlys, Orchard, Pinewood, "
    "Quayside, Redleaf, Silverbirch, Tidewater, Umbra, Vantage, Westmoor, Zephyr, Œuvre, Straße 9"
)
BRANCH = _words(
    "Foods, Logistics, Energy, Textiles, Software, Robotics, Pharma, Paper, Media, Marine, Optics, "
    "Ceramics, Timber, Foundry, Airways, Insurance, Travel, Apparel, Laboratories"
)
LEGAL = _words("GmbH, Inc., Ltd, S.A., AB, A/S, LLC, Oy, plc, 株式会社, BV")
CITY = _words(
    "Hamburg, Lyon, Porto, Gdańsk, Malmö, Turin, Leeds, Austin, Denver, Osaka, Montréal, Zürich, "
    "São Paulo, Reykjavík, Cork, Aarhus, Ghent"
)
STREET = _words(
    "Harbour Street, Mill Lane, Bahnhofstraße, Rue de l'Église, Calle Mayor, Station Road, "
    "Kungsgatan, Via Roma, Elm Avenue, Market Square, Old Quay"
)
STATE = _words("HH, NRW, ARA, Norte, TX, CO, QC, ZH, SP, Leinster, Scania, Piemonte, Flanders")
COUNTRY = _words("Germany, France, Portugal, Poland, Sweden, Italy, United Kingdom, United States")
TITLE = _words(
    "Buyer, Head of Sales, CFO, VP Engineering, Office Manager, Analyst, Owner, Site Lead, "
    "Director of Operations, Procurement Specialist"
)
SUBJECT = _words(
    "Call back, Send quote, Renewal check, Kick-off meeting, Invoice question, Delivery late, "
    "Password reset, Demo, Contract review, Site visit, Re: offer, Feedback on pilot"
)
PRODUCT = _words(
    "Pump, Valve, Sensor, Gateway, Licence, Support plan, Bracket, Filter, Panel, Cable, Adapter"
)
WORDS = _words(
    "the, order, was, shipped, and, customer, asked, for, a, new, date, before, noon, invoice, "
    "paid, later, pallet, damaged, corner, photo, attached, follow, up, next, week, price, list, "
    "approved, by, finance, naïve, façade, déjà vu, 12 mm, 3.5 t, n/a, “quoted”, it's, 50%, a;b"
)
PICKLISTS = {
    "account_type": "Prospect, Customer - Direct, Customer - Channel, Partner, Other",
    "industry": "Agriculture, Apparel, Banking, Chemicals, Construction, Energy, Finance, "
    "Food & Beverage, Insurance, Manufacturing, Media, Retail, Shipping, Utilities, Other",
    "rating": "Hot, Warm, Cold",
    "lead_status": "Open - Not Contacted, Working - Contacted, Closed - Converted, "
    "Closed - Not Converted",
    "lead_source": "Web, Phone Inquiry, Partner Referral, Purchased List, Other",
    "stage": "Prospecting, Qualification, Needs Analysis, Proposal/Price Quote, "
    "Negotiation/Review, Closed Won, Closed Lost",
    "case_status": "New, Working, Escalated, Closed",
    "case_origin": "Phone, Email, Web",
    "priority": "High, Normal, Low",
    "task_status": "Not Started, In Progress, Completed, Waiting on someone else, Deferred",
    "campaign_type": "Conference, Webinar, Trade Show, Email, Referral Program",
    "campaign_status": "Planned, In Progress, Completed, Aborted",
    "salutation": "Mr., Ms., Mrs., Dr., Prof., Mx.",
    "access": "Read, Edit, All",
    "folder_access": "Public, Hidden, Shared, PublicInternal",
    "folder_type": "Report, Dashboard, Document, Email",
    "publish_status": "Draft, Online, Archived",
    "share_cause": "Owner, Manual, Rule, Team",
    "colours": "red, green, blue, black",
    "user_type": "Standard, PowerPartner, CsnOnly",
    "group_type": "Queue, Regular, Role, Organization",
    "publish": "R, P, U",
    "product_family": "Hardware, Software, Services",
    "reason": "Installation, Performance, Breakdown, Feature Request, Other",
    "field_name": "StageName, Amount, OwnerId, Status, Priority, created, locked",
    "data_type": "EnumOrId, Text, Currency, DynamicEnum, Entity",
    "generic": "Alpha, Beta, Gamma, Delta",
}
VALUES = {name: _words(text) for name, text in PICKLISTS.items()}
