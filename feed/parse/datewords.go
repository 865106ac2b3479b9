package parse

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// word is what a word in a date can mean.
type word struct {
	month   int
	weekday int // 1 Sunday to 7 Saturday
	jalali  bool
	am, pm  bool
	ignore  bool
}

// monthNames are the names and abbreviations of the months, one line a month, in
// English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian,
// Swedish, Finnish, Polish, Czech, Romanian, Hungarian, Turkish, Indonesian,
// Catalan, Russian, Ukrainian, Greek, Persian and Arabic (Egypt, then Levant).
var monthNames = [12]string{
	`jan january januar jän jänner janvier janv ene enero gen gennaio janeiro januari tammikuu tammikuuta sty styczeń stycznia leden ledna ian ianuarie január jan oca ocak gener янв январь января січ січень січня ιαν ιανουάριος ιανουαρίου γεν γενάρης ژانویه يناير جانفي كانون-الثاني`,
	`feb february februar feber février fevrier févr fév feb febrero febbraio fev fevereiro februari helmikuu helmikuuta lut luty lutego únor února februarie február febr şub şubat subat febrer фев февр февраль февраля лют лютий лютого φεβ φεβρουάριος φεβρουαρίου φλεβάρης فوریه فبراير شباط`,
	`mar march märz mär mrz mars marzo março marco mrt maart marts maaliskuu maaliskuuta marzec marca březen března martie március márc mart maret març мар март марта бер березень березня μαρ μάρ μάρτ μάρτιος μαρτίου مارس آذار`,
	`apr april avril avr abr abril aprile april huhtikuu huhtikuuta kwi kwiecień kwietnia duben dubna aprilie április ápr nis nisan апр апрель апреля кві квітень квітня απρ απρίλιος απριλίου آوریل أبريل ابريل أفريل نيسان`,
	`may mai mayo maggio mag maio mei maj toukokuu toukokuuta maja květen května május máj mayıs mayis maig май мая тра травень травня μαι μαϊ μάι μάιος μαΐου مه مايو ماي أيار`,
	`jun june juni juin junio giugno giu junho kesäkuu kesäkuuta cze czerwiec czerwca červen června iun iunie június jún haz haziran juny июн июнь июня чер червень червня ιουν ιούν ιούνιος ιουνίου ژوئن يونيو جوان حزيران`,
	`jul july juli juillet juil julio luglio lug julho heinäkuu heinäkuuta lip lipiec lipca červenec července iul iulie július júl tem temmuz juliol июл июль июля лип липень липня ιουλ ιούλ ιούλιος ιουλίου ژوئیه يوليو جويلية تموز`,
	`aug august août aout aoû ago agosto augustus augusti elokuu elokuuta sie sierpień sierpnia srpen srpna augusztus ağu ağustos agustus agost авг август августа сер серпень серпня αυγ αύγ αύγουστος αυγούστου اوت أغسطس اغسطس أوت آب`,
	`sep sept september septembre set septiembre setiembre sett settembre setembro syyskuu syyskuuta wrz wrzesień września září septembrie szeptember szept eyl eylül setembre сен сент сентябрь сентября вер вересень вересня σεπ σεπτ σεπτέμβριος σεπτεμβρίου سپتامبر سبتمبر أيلول`,
	`oct october okt oktober octobre octubre ott ottobre out outubro lokakuu lokakuuta paź październik października říjen října octombrie október eki ekim octubre oktober окт октябрь октября жов жовтень жовтня οκτ οκτώβριος οκτωβρίου اکتبر أكتوبر اكتوبر تشرين-الأول`,
	`nov november novembre noviembre novembro marraskuu marraskuuta listopad listopada noiembrie kas kasım ноя нояб ноябрь ноября лис листопад листопада νοε νοέ νοέμβριος νοεμβρίου نوامبر نوفمبر تشرين-الثاني`,
	`dec december dez dezember décembre dic diciembre dicembre dezembro joulukuu joulukuuta gru grudzień grudnia prosinec prosince decembrie ara aralık desember des desembre дек декабрь декабря гру грудень грудня δεκ δεκέμβριος δεκεμβρίου دسامبر ديسمبر كانون-الأول`,
}

// jalaliNames are the months of the Iranian calendar.
const jalaliNames = `فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند`

// weekdayNames begin with Sunday.
var weekdayNames = [7]string{
	`sun sunday sonntag so son dimanche dim dom domingo domenica zo zondag søndag söndag sön su sunnuntai nd niedz niedziela ne neděle duminică duminica v vas vasárnap paz pazar minggu diumenge вс воскресенье нд неділя κυρ κυριακή یکشنبه الأحد`,
	`mon monday montag mo lundi lun lunes lunedì lunedi segunda seg ma maandag mandag måndag mån maanantai pon pn poniedziałek po pondělí luni h hét hétfő pzt pazartesi senin dilluns пн понедельник понеділок δευ δευτέρα دوشنبه الاثنين الإثنين`,
	`tue tues tuesday dienstag di die mardi mar martes martedì martedi terça ter di dinsdag tirsdag tisdag tis ti tiistai wt wtorek út úterý marți marti k kedd sal salı selasa dimarts вт вторник вівторок τρι τρίτη سهشنبه الثلاثاء`,
	`wed wednesday mittwoch mi mit mercredi mer mié miércoles miercoles mercoledì mercoledi quarta qua woensdag wo onsdag ons ke keskiviikko śr środa st středa miercuri sze szerda çar çarşamba rabu dimecres ср среда середа τετ τετάρτη چهارشنبه الأربعاء`,
	`thu thur thurs thursday donnerstag do don jeudi jeu jue jueves giovedì giovedi gio quinta qui donderdag torsdag tors tor to torstai czw czwartek čt čtvrtek joi cs csütörtök csüt per perşembe kamis dijous чт четверг четвер πεμ πέμ πέμπτη پنجشنبه الخميس`,
	`fri friday freitag fr fre vendredi ven vie viernes venerdì venerdi sexta sex vr vrijdag fredag pe perjantai pt piątek pá pátek vineri p péntek cum cuma jumat divendres пт пятница п'ятниця παρ παρασκευή جمعه الجمعة`,
	`sat saturday samstag sa sam sonnabend samedi sáb sábado sab sabato za zaterdag lørdag lördag lör la lauantai sob sobota so sâmbătă sambata szo szombat cmt cumartesi sabtu dissabte сб суббота субота σαβ σάβ σάββατο شنبه السبت`,
}

// fillers stand between the parts of a date and say nothing.
const fillers = `st nd rd th of de del d di da do den der the a à at um uhr h hs hrs hours on le la el il em am-dem kl klo г год года р року в ساعت في`

// dateWords maps folded words to what they mean.
var dateWords = func() map[string]word {
	m := map[string]word{}
	put := func(names string, set func(*word)) {
		for n := range strings.FieldsSeq(names) {
			n = foldDate(n)
			w := m[n]
			set(&w)
			m[n] = w
		}
	}
	for i, names := range weekdayNames {
		put(names, func(w *word) {
			if w.weekday == 0 {
				w.weekday = i + 1
			}
		})
	}
	for i, names := range monthNames {
		put(names, func(w *word) { w.month = i + 1 })
	}
	for i, n := range strings.Fields(jalaliNames) {
		put(n, func(w *word) { w.month, w.jalali = i+1, true })
	}
	put(fillers, func(w *word) { *w = word{ignore: true} })
	put("am a.m vorm 오전 午前 上午 ق.ظ صباحا ص πμ", func(w *word) { *w = word{am: true} })
	put("pm p.m nachm 오후 午後 下午 ب.ظ مساء م μμ", func(w *word) { *w = word{pm: true} })
	delete(m, "t")
	return m
}()

// foldDate lowers a word and takes off accents and points.
func foldDate(s string) string {
	s = strings.ToLower(s)
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.Trim(s, ".'")
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case r >= 0x300 && r <= 0x36F, r >= 0x64B && r <= 0x655, r == 0x200C, r == '.':
		case r == 'ς':
			b.WriteRune('σ')
		case r == 'ı':
			b.WriteRune('i')
		case r == 'ł':
			b.WriteRune('l')
		case r == 'ø':
			b.WriteRune('o')
		case r == 'ي' || r == 'ى':
			b.WriteRune('ی')
		case r == 'ك':
			b.WriteRune('ک')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cjkUnit is the part of a date that a Chinese, Japanese or Korean unit marks, 0 for
// any other letter.
func cjkUnit(r rune) byte {
	switch r {
	case '年', '년':
		return 'y'
	case '月', '월':
		return 'm'
	case '日', '일', '號':
		return 'd'
	}
	return 0
}

// asciiDigits replaces the digits of Arabic, Persian and the full-width forms by
// those of ASCII, and exotic spaces by spaces.
func asciiDigits(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '٠' && r <= '٩':
			return r - '٠' + '0'
		case r >= '۰' && r <= '۹':
			return r - '۰' + '0'
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '：':
			return ':'
		case r == '،' || r == '\u00a0' || r == '\u202f' || r == '\u2009' || r == '\u200f' || r == '\u200e':
			return ' '
		case r == '٫':
			return '.'
		}
		return r
	}, s)
}

// zones gives minutes east of UTC. Where an abbreviation has several meanings the
// one of most feeds is taken.
var zones = map[string]int{
	"UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "ZULU": 0, "UCT": 0, "WT": 0,
	"WEST": 60, "BST": 60, "CET": 60, "MET": 60, "MEZ": 60, "WAT": 60, "IRISH": 60,
	"CEST": 120, "MEST": 120, "MESZ": 120, "EET": 120, "CAT": 120, "SAST": 120, "CEDT": 120,
	"EEST": 180, "IDT": 180, "MSK": 180, "TRT": 180, "EAT": 180, "FET": 180, "EEDT": 180, "AST3": 180,
	"IRST": 210, "IRDT": 270, "MSD": 240, "GST": 240, "SAMT": 240, "AZT": 240, "GET": 240, "AFT": 270,
	"PKT": 300, "YEKT": 300, "UZT": 300, "MVT": 300, "IST": 330, "SLST": 330, "NPT": 345, "OMST": 360, "BDT": 360, "MMT": 390,
	"ICT": 420, "WIB": 420, "KRAT": 420, "NOVT": 420, "HOVT": 420,
	"HKT": 480, "SGT": 480, "PHT": 480, "MYT": 480, "AWST": 480, "WITA": 480, "IRKT": 480, "CTT": 480,
	"JST": 540, "KST": 540, "WIT": 540, "YAKT": 540, "ACST": 570, "ACDT": 630,
	"AEST": 600, "VLAT": 600, "CHST": 600, "AEDT": 660, "MAGT": 660, "NZST": 720, "PETT": 720, "FJT": 720, "NZDT": 780,
	"AZOT": -60, "CVT": -60, "BRST": -120, "FNT": -120, "GFT": -180, "BRT": -180, "ART": -180, "UYT": -180, "CLST": -180, "WGT": -180, "ADT": -180,
	"NDT": -150, "NST": -210, "AST": -240, "AT": -240, "CLT": -240, "VET": -240, "BOT": -240, "AMT": -240, "EDT": -240,
	"EST": -300, "ET": -300, "COT": -300, "PET": -300, "CDT": -300,
	"CST": -360, "CT": -360, "MDT": -360, "GALT": -360, "MST": -420, "MT": -420, "PDT": -420,
	"PST": -480, "PT": -480, "AKDT": -480, "AKST": -540, "HDT": -540, "HST": -600, "SST": -660,
}
