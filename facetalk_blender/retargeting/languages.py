"""Words of faces in several languages: for each word of plain English those that mean it.

"-": words without a meaning. Letters that stand for a side count only as words of their own.
"""

ENGLISH = """
    jaw: jaw; mouth: mouth; eye: eye eyes eyeball; lid: lid lids eyelid eyelids; brow: brow brows eyebrow eyebrows;
    cheek: cheek cheeks; nose: nose; tongue: tongue; lip: lip lips; chin: chin; corner: corner corners;
    open: open opened opening; close: close closed closing shut closure; drop: drop dropped;
    lower: lower lowered lowerer; up: up raise raised raiser raising lift lifted; down: down; in: in; out: out;
    inner: inner inside; forward: forward; outer: outer outside extern; upper: upper top; wide: wide widen;
    kiss: kiss; press: press pressed pressing; pucker: pucker puckered; purse: purse pursed pursing; narrow: narrow;
    funnel: funnel; stretch: stretch stretched; spread: spread; together: together; smile: smile; frown: frown;
    sad: sad; suck: suck sucked; roll: roll rolled; pull: pull puller pulled; blink: blink blinking; wink: wink;
    squint: squint; tight: tighten tightener; puff: puff puffed inflate inflated; blow: blow;
    wrinkle: wrinkle wrinkled scrunch; sneer: sneer; snarl: snarl; stick: stick; look: look gaze; left: left;
    right: right; dimple: dimple; shrug: shrug; -: move moves
"""
GERMAN = """
    jaw: kiefer unterkiefer; mouth: mund; eye: auge augen; lid: lid lider augenlid augenlider; lip: lippe lippen;
    brow: braue brauen augenbraue augenbrauen; cheek: wange wangen backe backen; nose: nase; tongue: zunge;
    chin: kinn; mouth corner: mundwinkel; upper lip: oberlippe; lower lip: unterlippe; upper: obere oberes;
    lower: untere unteres; lid upper: oberlid; lid lower: unterlid; open: auf offen öffnen geöffnet;
    close: zu geschlossen schließen; up: hoch oben heben gehoben rauf; inner: innen innere;
    down: runter unten senken gesenkt tief herunter; outer: aussen außen äußere; forward: vor vorne vorwärts;
    out: raus heraus; wide: weit aufgerissen; kiss: kuss kussmund; point: spitz; pucker: spitzen;
    press: pressen gepresst; blink: blinzeln lidschlag; wink: zwinkern; puff: aufblasen aufgeblasen;
    wrinkle: rümpfen kräuseln; smile: lächeln; look: blick blicken schauen; left: links linke linkes linker;
    right: rechts rechte rechtes rechter; in: rein einziehen; -: der die das
"""
FRENCH = """
    jaw: mâchoire; mouth: bouche; eye: oeil œil yeux; lid: paupière paupières; brow: sourcil sourcils;
    cheek: joue joues; nose: nez; tongue: langue; lip: lèvre lèvres; chin: menton; corner: coin coins commissure;
    open: ouvert ouverte ouverts ouvrir ouverture; close: fermé fermée fermés fermées fermer; forward: avant;
    up: haut lever levé levée levés; down: bas baisser baissé baissée baissés; inner: intérieur interne;
    outer: extérieur externe; wide: écarquillé écarquillés; kiss: bisou baiser; pucker: moue;
    press: serré serrée serrées pincé pincées; blink: clignement cligner; wink: clindoeil clin;
    puff: gonflé gonflée gonflées gonfler; smile: sourire; wrinkle: plissé froncé; out: sorti sortie tirée dehors;
    look: regard regarder; upper: supérieur supérieure; lower: inférieur inférieure; left: gauche;
    right: droite droit; -: la le les de du des
"""
SPANISH = """
    jaw: mandíbula mandibula; mouth: boca; eye: ojo ojos; lid: párpado párpados; brow: ceja cejas;
    cheek: mejilla mejillas; nose: nariz; tongue: lengua; lip: labio labios; chin: mentón barbilla;
    corner: comisura comisuras; open: abierto abierta abiertos abrir;
    close: cerrado cerrada cerrados cerradas cerrar; up: arriba subir levantar levantada levantadas;
    down: abajo bajar; inner: interior; outer: exterior; forward: adelante; wide: desorbitado; kiss: beso;
    press: apretar apretado apretados; blink: parpadeo parpadear; wink: guiño guiñar;
    puff: inflado inflada infladas inflar; wrinkle: arrugar arrugada; smile: sonrisa; out: fuera afuera;
    look: mirar mirada; upper: superior; lower: inferior; left: izquierdo izquierda izq; right: derecho derecha der;
    -: la el los las de
"""
ITALIAN = """
    jaw: mandibola mascella; mouth: bocca; eye: occhio occhi; lid: palpebra palpebre;
    brow: sopracciglio sopracciglia; cheek: guancia guance; nose: naso; tongue: lingua; lip: labbro labbra;
    chin: mento; corner: angolo angoli; open: aperto aperta aperti aprire apri;
    close: chiuso chiusa chiusi chiuse chiudere chiudi; up: su alto alza alzato; down: giù basso abbassa;
    inner: interno; outer: esterno; forward: avanti; wide: spalancato; kiss: bacio; blink: ammicco battito;
    wink: occhiolino; puff: gonfio gonfia gonfie; smile: sorriso; out: fuori; look: sguardo guarda;
    upper: superiore; lower: inferiore; left: sinistra sinistro sx; right: destra destro dx; -: la il le lo di
"""
PORTUGUESE = """
    jaw: mandíbula queixo; mouth: boca; eye: olho olhos; lid: pálpebra pálpebras; brow: sobrancelha sobrancelhas;
    cheek: bochecha bochechas; nose: nariz; tongue: língua; lip: lábio lábios; open: aberto aberta abertos abrir;
    close: fechado fechada fechados fechadas fechar; up: cima acima levantar; down: baixo abaixo; forward: frente;
    kiss: beijo; blink: piscar piscada; puff: inflar inflada infladas; smile: sorriso; out: fora; look: olhar;
    upper: superior; lower: inferior; left: esquerdo esquerda esq; right: direito direita dir; -: a o os as da do
"""
RUSSIAN = """
    jaw: челюсть; mouth: рот рта; eye: глаз глаза; lid: веко веки; brow: бровь брови; cheek: щека щеки щёки;
    nose: нос; tongue: язык; lip: губа губы; open: открыт открыта открыть открытый;
    close: закрыт закрыта закрыты закрыть закрытый; up: вверх верх поднять; down: вниз низ опустить;
    forward: вперёд вперед; wide: широко; kiss: поцелуй; blink: моргание моргать; wink: подмигивание;
    puff: надуть надуты; smile: улыбка; out: наружу высунуть; look: взгляд; upper: верхняя; lower: нижняя;
    left: левый левая левое лев лево влево; right: правый правая правое прав право вправо
"""
CHINESE = """
    jaw: 下巴 下颌 下顎; mouth: 嘴 嘴巴 口; eye: 眼 眼睛; lid: 眼皮 眼睑; brow: 眉 眉毛; cheek: 脸颊 腮;
    nose: 鼻 鼻子; tongue: 舌 舌头; lip: 唇 嘴唇; corner: 角; open: 张开 張開 张 張 开 開 打开;
    close: 闭 閉 闭合 闭上 閉上; up: 上 抬 抬起 上扬; down: 下 下垂 降低; forward: 前; wide: 睁大; blink: 眨;
    pucker: 嘟 噘; puff: 鼓 鼓起; smile: 微笑; out: 伸 伸出; look: 看; left: 左; right: 右
"""
JAPANESE = """
    jaw: 顎 あご アゴ; mouth: 口; eye: 目 眼; lid: まぶた 瞼; brow: 眉 眉毛; cheek: 頬 ほほ; nose: 鼻; tongue: 舌;
    lip: 唇; corner: 角; open: 開け 開ける 開く 開き; close: 閉じ 閉じる; up: 上げ 上げる; down: 下げ 下げる;
    forward: 前; wide: 見開き; stretch: 横広げ; blink: 瞬き まばたき; pucker: すぼめ 窄め; puff: 膨らみ 膨らまし;
    smile: 微笑 微笑み; out: 出し 出す; look: 視線; left: 左; right: 右; -: を の が
"""
KOREAN = """
    jaw: 턱; mouth: 입; eye: 눈; brow: 눈썹; cheek: 볼; nose: 코; tongue: 혀; lip: 입술;
    open: 벌림 벌리기 열림 열기; close: 닫기 닫힘 감기 감음; up: 올림 올리기 위; down: 내림 내리기 아래;
    blink: 깜빡임 깜박임; wink: 윙크; smile: 미소; out: 내밀기; left: 왼쪽; right: 오른쪽
"""
SHORT_SIDES = {
    "fr": {"g": "left", "d": "right"},
    "es": {"i": "left", "d": "right"},
    "pt": {"e": "left", "d": "right"},
    "de": {"li": "left", "re": "right"},
}
