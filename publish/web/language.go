package web

import "strings"

// languageNames are the languages that blogs are written in most, by their primary
// subtag.
var languageNames = map[string]string{
	"ar": "Arabic", "az": "Azerbaijani", "bg": "Bulgarian", "ca": "Catalan", "ckb": "Kurdish (Sorani)", "cs": "Czech", "da": "Danish", "de": "German",
	"el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
	"hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean",
	"ku": "Kurdish", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "ps": "Pashto",
	"pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovene", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
	"th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}

// languageName is the English name of a language, or its tag.
func languageName(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	if name := languageNames[strings.ToLower(primary)]; name != "" {
		return name
	}
	return tag
}
