package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/** The words of one text, drawn at random; words of one role are all different. */
final class Draw {
    private final Language language;
    private final SplittableRandom random;
    private final Map<String, Set<String>> used = new HashMap<>();

    Draw(Language language, SplittableRandom random) {
        this.language = language;
        this.random = random;
    }

    Language language() {
        return language;
    }

    /** A word of a pool that this text does not have in that role yet. */
    String word(String pool) {
        List<String> words = language.pool(pool);
        Set<String> taken = used.computeIfAbsent(pool, key -> new HashSet<>());
        if (taken.size() == words.size()) {
            throw LayercakeException.badInput("A text cannot name more than " + words.size() + " different words for "
                    + pool + "; ask for shorter texts or fewer facts.");
        }
        String word;
        do {
            word = any(words);
        } while (!taken.add(word));
        return word;
    }

    /** A number that this text does not have yet. */
    String number() {
        Set<String> taken = used.computeIfAbsent("number", key -> new HashSet<>());
        String number;
        do {
            int digits = any(language.digitCounts());
            StringBuilder text = new StringBuilder();
            for (int digit = 0; digit < digits; digit++) {
                String choices = digit == 0 ? language.firstDigits() : language.otherDigits();
                text.append(choices.charAt(random.nextInt(choices.length())));
            }
            number = text.toString();
        } while (!taken.add(number));
        return number;
    }

    /** A colour and a thing. */
    String possession() {
        return any(language.pool("colour")) + " " + word("thing");
    }

    String attribute() {
        return any(language.attributes());
    }

    <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    /** Randomness that does not depend on how much of this one is used. */
    SplittableRandom split() {
        return random.split();
    }
}
