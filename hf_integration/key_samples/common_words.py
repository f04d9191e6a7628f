# ruff: noqa: RUF001  # the ambiguous letters of other scripts are the point of this list
"""Everyday words of many languages and scripts, and fragments of code and symbols.

Common words reach ordinary rows of a vocabulary, other scripts the rare ones and the byte fall-backs.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ENGLISH = _words(
    """
    the a of and to in is was for on with as by at from that this it he she they we you not but or if when
    while because after before under over between through during without about against into upon almost
    never always often perhaps people time year day night morning house river mountain city garden kitchen
    window door table chair paper letter book music colour water fire stone metal glass bread coffee apple
    orange salt sugar winter summer rain snow storm doctor teacher farmer soldier artist engineer child
    mother brother friend neighbour king president company market price money law court science history
    language number question answer problem reason idea story game school hospital church bridge train ship
    engine machine computer network signal energy planet star ocean island forest animal horse dog cat bird
    fish insect flower tree leaf seed blood heart brain hand foot eye voice dream small large old young new
    early late long short high low hot cold quick slow bright dark heavy light strong weak happy sad angry
    quiet strange simple rare public private local foreign modern ancient red blue green yellow black make
    take give find think know want need begin follow carry build break open close write read speak listen
    buy sell pay win lose grow fall rise move stand sit sleep wake learn teach remember forget believe
    protect measure describe compare decide arrive return disappear electricity temperature government
    university photograph unfortunately nevertheless internationally misunderstanding biochemistry
    counterclockwise
    """
)

LATIN_SCRIPT = {
    "spanish": _words(
        """
        el la de que y en los mañana niño corazón también agua tiempo después ciudad árbol
        pingüino ¿dónde?
        """
    ),
    "french": _words(
        """
        le la les des où être été garçon château fenêtre aujourd'hui œuvre l'eau très bientôt ça
        forêt
        """
    ),
    "german": _words(
        """
        der die das und nicht über Straße Mädchen schön größer Zeit Bücher Schmetterling Frühstück
        fünf
        """
    ),
    "italian": _words(
        """
        il lo gli perché città acqua così più giorno notte bellezza sempre cuore ragazzo finché
        """
    ),
    "portuguese": _words("não você coração amanhã água também pássaro saudade mãe lição três só então"),
    "polish": _words("się nie jest żółty źródło miłość książka dzień dobry wieczór łódź świat pięć"),
    "turkish": _words("bir ve için değil güneş çocuk şehir ağaç kırmızı İstanbul öğretmen yıldız"),
    "vietnamese": _words("không một người nước đường tiếng Việt trời được bạn cây mưa"),
    "swahili": _words("habari asante maji mtoto nyumba chakula rafiki leo kesho simba safari"),
}

OTHER_SCRIPTS = {
    "russian": _words("и не на что быть время человек вода утро книга город ночь друг любовь"),
    "greek": _words("και το δεν είναι νερό ήλιος θάλασσα λόγος φίλος καρδιά"),
    "arabic": _words("من في على كتاب ماء شمس بيت مدينة صديق سلام"),
    "hebrew": _words("של לא מים ספר בית שמש ילד שלום"),
    "hindi": _words("और है पानी किताब घर सूरज मित्र शहर"),
    "chinese": _words("的 是 不 人 时间 水 山 城市 朋友 学习 明天 太阳"),
    "japanese": _words("の は です 水 山 時間 ありがとう カメラ 電車 友だち"),
    "korean": _words("그리고 물 산 시간 사람 친구 학교 내일"),
    "thai": _words("และ น้ำ บ้าน เวลา เพื่อน"),
    "georgian": _words("და წყალი მზე სახლი"),
}

CODE = (
    "def f(x):",
    "return x**2",
    "if (a != b) {",
    "for i in range(10):",
    "<div class='row'>",
    "</div>",
    "SELECT * FROM users",
    "WHERE id = 7;",
    "np.zeros((3, 4))",
    "#include <stdio.h>",
    'print("hello")',
    "git commit -m",
    "\\frac{a}{b}",
    "x = y & 0xFF",
    "import os",
    "null",
    "std::vector<int>",
    "lambda: None",
    "{'key': [1, 2]}",
    "https://example.org/a?b=c#d",
    "user@example.com",
    "C:\\Temp\\a.txt",
    "README.md",
    "v2.0.1-rc3",
)

SYMBOLS = _words(
    """
    € £ ¥ § © ™ ° ± × ÷ ≈ ≤ ≠ ∞ ∑ √ π µ → ← ⇒ • … « » ½ № ♥ ☀ ♫ ✓ 🙂 🚀 🌍 👍🏽 @ # $ % ^
    & * _ = + ~ | / < >
    """
)

ENDINGS = (".", ".", ".", "!", "?", "...", ";", ":", " -", ")", "")

JOINTS = (*[""] * 18, ",", ",", ",", ";", " -", ":", "/")
