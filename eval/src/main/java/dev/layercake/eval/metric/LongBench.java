package dev.layercake.eval.metric;

import dev.layercake.eval.python.PythonNumbers;
import dev.layercake.eval.python.PythonText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The scores of LongBench v1 (Bai et al., 2023; {@code metrics.py} and {@code eval.py} of THUDM/LongBench), 0 to 1 an answer. */
public final class LongBench {
    /** Punctuation that {@code string.punctuation} of Python names. */
    private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    /** Punctuation of Chinese texts that the official normaliser takes away too. */
    private static final String CHINESE_PUNCTUATION =
            "\uff01\uff1f\uff61\u3002\uff02\uff03\uff04\uff05\uff06\uff07\uff08\uff09\uff0a\uff0b\uff0c\uff0d\uff0f\uff1a\uff1b"
                    + "\uff1c\uff1d\uff1e\uff20\uff3b\uff3c\uff3d\uff3e\uff3f\uff40\uff5b\uff5c\uff5d\uff5e\uff5f\uff60\uff62\uff63"
                    + "\uff64\u3001\u3003\u300b\u300c\u300d\u300e\u300f\u3010\u3011\u3014\u3015\u3016\u3017\u3018\u3019\u301a\u301b"
                    + "\u301c\u301d\u301e\u301f\u3030\u303e\u303f\u2013\u2014\u2018\u2019\u201b\u201c\u201d\u201e\u201f\u2026\u2027"
                    + "\ufe4f.";

    private static final Pattern PARAGRAPH = Pattern.compile("Paragraph (\\p{Nd}+)");
    private static final Pattern CHINESE_PARAGRAPH = Pattern.compile("\u6bb5\u843d(\\p{Nd}+)");

    /** What the sixteen English tasks and their Chinese twins are scored by. */
    public enum Metric {
        QA_F1,
        ROUGE,
        CLASSIFICATION,
        COUNT,
        RETRIEVAL,
        RETRIEVAL_ZH,
        CODE_SIMILARITY
    }

    /** How Python's package {@code fuzzywuzzy} compares lines of code: it depends on what else is installed there. */
    public enum CodeLikeness {
        /** By matching blocks, as the official requirements give it. */
        DIFFLIB,
        /** By insertions and deletions, where {@code python-Levenshtein} is installed. */
        LEVENSHTEIN
    }

    private final CodeLikeness code;
    private final boolean overflows;

    /** As the official scorer of the published tables. */
    public static final LongBench OFFICIAL = new LongBench(CodeLikeness.DIFFLIB, true);

    /**
     * Variants of the official scorer.
     *
     * @param overflows whether a ROUGE score is 0 where a sentence is too long for the official code's recursion
     */
    public LongBench(CodeLikeness code, boolean overflows) {
        this.code = code;
        this.overflows = overflows;
    }

    /**
     * The score of an answer against one reference.
     *
     * @param classes all names of classes, for {@link Metric#CLASSIFICATION}; otherwise not looked at
     */
    public double score(Metric metric, String prediction, String reference, List<String> classes) {
        return switch (metric) {
            case QA_F1 -> TokenF1.of(normalized(prediction), normalized(reference));
            case ROUGE -> RougeOfSets.f(prediction, reference, overflows);
            case CLASSIFICATION -> classification(prediction, reference, classes);
            case COUNT -> shareOfNumbers(prediction, reference);
            case RETRIEVAL -> shareOfNumbers(prediction, numberOf(PARAGRAPH, reference));
            case RETRIEVAL_ZH -> shareOfNumbers(prediction, numberOf(CHINESE_PARAGRAPH, reference));
            case CODE_SIMILARITY -> codeSimilarity(prediction, reference);
        };
    }

    /**
     * The best score over all references.
     *
     * @param firstLineOnly whether what follows the first line is not looked at, as for trec, triviaqa, samsum and lsht
     */
    public double best(
            Metric metric, String prediction, List<String> references, List<String> classes, boolean firstLineOnly) {
        String answer = firstLineOnly ? firstLine(prediction) : prediction;
        double best = 0;
        for (String reference : references) {
            best = Math.max(best, score(metric, answer, reference, classes));
        }
        return best;
    }

    private static String firstLine(String prediction) {
        String text = PythonText.withoutLeadingNewlines(prediction);
        int end = text.indexOf('\n');
        return end < 0 ? text : text.substring(0, end);
    }

    /** The score of a task, 0 to 100 with two decimals: the mean over its answers. */
    public static double task(List<Double> scores) {
        double total = 0;
        for (double score : scores) {
            total += score;
        }
        return PythonNumbers.round(100 * total / scores.size(), 2);
    }

    /**
     * The scores of LongBench-E: by length of the context in words, below 4,000, below 8,000, and longer; NaN where there is none.
     */
    public static SequencedMap<String, Double> byLength(List<Double> scores, List<Integer> lengths) {
        Map<String, List<Double>> buckets = new LinkedHashMap<>();
        List.of("0-4k", "4-8k", "8k+").forEach(name -> buckets.put(name, new ArrayList<>()));
        for (int i = 0; i < scores.size(); i++) {
            int length = lengths.get(i);
            String bucket = length < 4000 ? "0-4k" : length < 8000 ? "4-8k" : "8k+";
            buckets.getOrDefault(bucket, new ArrayList<>()).add(scores.get(i));
        }
        SequencedMap<String, Double> means = new LinkedHashMap<>();
        buckets.forEach((name, values) -> means.put(
                name,
                PythonNumbers.round(
                        100
                                * PythonNumbers.mean(values.stream()
                                        .mapToDouble(Double::doubleValue)
                                        .toArray()),
                        2)));
        return means;
    }

    /** F1 of Chinese texts that a word segmenter has cut; words are normalised and empty ones left out. */
    public static double chineseF1(List<String> prediction, List<String> reference) {
        return TokenF1.of(normalizedChinese(prediction), normalizedChinese(reference));
    }

    /** ROUGE of Chinese texts that a word segmenter has cut. */
    public double chineseRouge(List<String> prediction, List<String> reference) {
        return RougeOfSets.f(String.join(" ", prediction), String.join(" ", reference), overflows);
    }

    private static List<String> normalizedChinese(List<String> words) {
        return words.stream()
                .map(LongBench::plainChinese)
                .filter(word -> !word.isEmpty())
                .toList();
    }

    /** A text in lower case, without punctuation and white space. */
    static String plainChinese(String text) {
        return String.join("", PythonText.words(without(PythonText.lower(text), PUNCTUATION + CHINESE_PUNCTUATION)));
    }

    /** Words in lower case, without punctuation and articles. */
    private static List<String> normalized(String text) {
        return PythonText.words(withoutArticles(without(PythonText.lower(text), PUNCTUATION)));
    }

    private static String without(String text, String characters) {
        StringBuilder kept = new StringBuilder();
        text.codePoints().filter(point -> characters.indexOf(point) < 0).forEach(kept::appendCodePoint);
        return kept.toString();
    }

    /** Each run of word characters that is an article becomes a blank; a run ends at what Python does not take for part of a word. */
    private static String withoutArticles(String text) {
        StringBuilder kept = new StringBuilder();
        StringBuilder word = new StringBuilder();
        text.codePoints().forEach(point -> {
            if (PythonText.isWord(point)) {
                word.appendCodePoint(point);
            } else {
                endWord(word, kept);
                kept.appendCodePoint(point);
            }
        });
        endWord(word, kept);
        return kept.toString();
    }

    private static void endWord(StringBuilder word, StringBuilder kept) {
        String text = word.toString();
        kept.append(text.equals("a") || text.equals("an") || text.equals("the") ? " " : text);
        word.setLength(0);
    }

    private static double classification(String prediction, String reference, List<String> classes) {
        List<String> named =
                new ArrayList<>(classes.stream().filter(prediction::contains).toList());
        // The official code takes names out of the list that it walks along, and so skips the one behind each.
        for (int i = 0; i < named.size(); i++) {
            String name = named.get(i);
            if (reference.contains(name) && !name.equals(reference)) {
                named.remove(name);
            }
        }
        return named.contains(reference) ? 1.0 / named.size() : 0;
    }

    private static double shareOfNumbers(String prediction, String wanted) {
        List<String> numbers = PythonText.digitRuns(prediction);
        return numbers.isEmpty() ? 0 : (double) Collections.frequency(numbers, wanted) / numbers.size();
    }

    private static String numberOf(Pattern paragraph, String reference) {
        Matcher matcher = paragraph.matcher(reference);
        return matcher.find() ? matcher.group(1) : "";
    }

    private double codeSimilarity(String prediction, String reference) {
        String line = "";
        for (String candidate : PythonText.withoutLeadingNewlines(prediction).split("\n", -1)) {
            if (!candidate.contains("`") && !candidate.contains("#") && !candidate.contains("//")) {
                line = candidate;
                break;
            }
        }
        return likeness(line, reference) / 100;
    }

    /** {@code fuzzywuzzy.fuzz.ratio}: a whole number from 0 to 100. */
    private double likeness(String line, String reference) {
        if (line.equals(reference)) {
            return 100;
        }
        if (line.isEmpty() || reference.isEmpty()) {
            return 0;
        }
        return PythonNumbers.round(
                100
                        * switch (code) {
                            case DIFFLIB -> MatchingBlocks.ratio(line, reference);
                            case LEVENSHTEIN -> {
                                int length = line.codePointCount(0, line.length())
                                        + reference.codePointCount(0, reference.length());
                                yield (double) (length - EditDistance.indel(line, reference)) / length;
                            }
                        },
                0);
    }
}
