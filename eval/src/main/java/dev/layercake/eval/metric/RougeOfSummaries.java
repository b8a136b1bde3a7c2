package dev.layercake.eval.metric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/** ROUGE-Lsum (Lin, 2004) as Google's {@code rouge_score} computes it without stemming: a sentence is a line. */
final class RougeOfSummaries {
    private RougeOfSummaries() {}

    /** The F measure. */
    static double f(String prediction, String reference) {
        List<List<String>> given = lines(prediction);
        List<List<String>> wanted = lines(reference);
        Map<String, Integer> leftGiven = counts(given);
        Map<String, Integer> leftWanted = counts(wanted);
        int hits = 0;
        for (List<String> line : wanted) {
            for (String word : common(line, given)) {
                if (leftGiven.getOrDefault(word, 0) > 0 && leftWanted.getOrDefault(word, 0) > 0) {
                    hits++;
                    leftGiven.merge(word, -1, Integer::sum);
                    leftWanted.merge(word, -1, Integer::sum);
                }
            }
        }
        if (hits == 0) {
            return 0;
        }
        double recall = (double) hits / size(wanted);
        double precision = (double) hits / size(given);
        return 2 * precision * recall / (precision + recall);
    }

    private static List<List<String>> lines(String text) {
        return Arrays.stream(text.split("\n"))
                .filter(line -> !line.isEmpty())
                .map(RougeOfSummaries::words)
                .toList();
    }

    private static List<String> words(String line) {
        return Arrays.stream(line.toLowerCase(Locale.ROOT).split("[^a-z0-9]+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private static Map<String, Integer> counts(List<List<String>> lines) {
        Map<String, Integer> counts = new HashMap<>();
        lines.forEach(line -> line.forEach(word -> counts.merge(word, 1, Integer::sum)));
        return counts;
    }

    private static int size(List<List<String>> lines) {
        return lines.stream().mapToInt(List::size).sum();
    }

    /** Those words of a line that lie on one longest common subsequence with any of the other lines. */
    private static List<String> common(List<String> line, List<List<String>> others) {
        TreeSet<Integer> places = new TreeSet<>();
        for (List<String> other : others) {
            CommonSubsequence lengths = CommonSubsequence.of(line, other);
            int i = line.size();
            int j = other.size();
            while (i > 0 && j > 0) {
                if (line.get(i - 1).equals(other.get(j - 1))) {
                    places.add(i - 1);
                    i--;
                    j--;
                } else if (lengths.length(i, j - 1) > lengths.length(i - 1, j)) {
                    j--;
                } else {
                    i--;
                }
            }
        }
        List<String> words = new ArrayList<>();
        places.forEach(place -> words.add(line.get(place)));
        return words;
    }
}
