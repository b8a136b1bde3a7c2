package dev.layercake.eval;

import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * An endless chronicle of a harbour town, one plain sentence after another, made from the language's filler: grammatical,
 * varied, without names or numbers.
 */
final class Chronicle implements Prose {
    private final Language language;

    Chronicle(Language language) {
        this.language = language;
    }

    @Override
    public Sentences begin(SplittableRandom random) {
        return () -> " " + sentence(random);
    }

    @Override
    public String identity() {
        return "generated";
    }

    /** A sentence, beginning with its first letter or quotation mark. */
    String sentence(SplittableRandom random) {
        String template = pick(language.fillerTemplates(), random);
        StringBuilder sentence = new StringBuilder();
        int at = 0;
        for (int open = template.indexOf('{'); open >= 0; open = template.indexOf('{', at)) {
            int close = template.indexOf('}', open);
            sentence.append(template, at, open);
            append(sentence, pick(language.fillerPool(template.substring(open + 1, close)), random));
            at = close + 1;
        }
        return sentence.append(template, at, template.length()).toString();
    }

    /** Appends a word, and makes an "a" before it "an" where English wants that. */
    private static void append(StringBuilder sentence, String word) {
        String before = (" " + sentence).toLowerCase(Locale.ROOT);
        if ("aeiou".indexOf(word.charAt(0)) >= 0 && before.endsWith(" a ")) {
            sentence.insert(sentence.length() - 1, 'n');
        }
        sentence.append(word);
    }

    private static String pick(List<String> list, SplittableRandom random) {
        return list.get(random.nextInt(list.size()));
    }
}
