package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SplittableRandom;

/** Hides planted sentences among prose, so that prompt and answer have exactly the tokens asked for. */
final class Composer {
    /** Sentences that are tried for filling the last gap to the token. */
    private static final int TRIES = 64;
    /** Shorter gaps are widened: hardly any sentence fits them. */
    private static final int SMALLEST_GAP = 8;
    /** The token that ends the answer. */
    private static final int END = 1;

    private final PromptEncoder encoder;
    private final Prose prose;

    Composer(PromptEncoder encoder, Prose prose) {
        this.encoder = encoder;
        this.prose = prose;
    }

    /**
     * Makes a prompt.
     *
     * @param tokens of the prompt, the chat template's included, and the answer with its end; met exactly where the
     *     tokenizer cuts sentences as it cuts the whole, and never exceeded
     * @param depth where the first asked sentence lies: 0 at the beginning, 1 right before the question; empty for anywhere
     * @param askedBefore whether the question stands before the text as well
     * @param begun whether the answer's first words are given
     * @throws LayercakeException (bad input) if there is no room for what is planted
     */
    Prompt compose(
            Planted planted,
            int tokens,
            OptionalDouble depth,
            boolean askedBefore,
            boolean begun,
            SplittableRandom random) {
        Prompt.Form form = Prompt.Form.MESSAGE.answering(begun ? planted.answerBegins() : "");
        int room = tokens - END - encoder.count(planted.answer());
        Prompt bare = new Prompt(plantedText(planted), planted.question(), askedBefore, form);
        int gap = room - encoder.encode(bare).count();
        if (gap < 0) {
            throw LayercakeException.badInput(
                    "A text of " + tokens + " tokens has no room for what is to be found in it"
                            + " and the question; ask for at least " + (tokens - gap) + " tokens.");
        }
        List<String> filler = filler(prose.begin(random.split()), gap);
        List<String> all = mix(planted, filler, depth, random);
        while (true) {
            Prompt prompt = new Prompt(String.join("", all), planted.question(), askedBefore, form);
            if (filler.isEmpty() || encoder.encode(prompt).count() <= room) {
                return prompt;
            }
            // A tokenizer that merges across sentences: the sum of the parts was too hopeful.
            all.remove(filler.removeLast());
        }
    }

    private static String plantedText(Planted planted) {
        return String.join("", planted.asked()) + String.join("", planted.others());
    }

    /** Sentences with exactly so many tokens together, where that can be done. */
    private List<String> filler(Prose.Sentences sentences, int tokens) {
        List<String> filler = new ArrayList<>();
        List<Integer> lengths = new ArrayList<>();
        int left = tokens;
        String sentence = sentences.next();
        int length = encoder.count(sentence);
        while (length <= left) {
            filler.add(sentence);
            lengths.add(length);
            left -= length;
            sentence = sentences.next();
            length = encoder.count(sentence);
        }
        if (left > 0) {
            for (int widened = 0; !filler.isEmpty() && (left < SMALLEST_GAP || widened == 0); widened++) {
                filler.removeLast();
                left += lengths.removeLast();
            }
            filler.addAll(exactly(left, sentences));
        }
        return filler;
    }

    /** Sentences, the last one cut short, with so many tokens; with the next fewer if that cannot be found. */
    private List<String> exactly(int tokens, Prose.Sentences sentences) {
        List<String> best = List.of();
        int fewestMissing = tokens;
        for (int attempt = 0; attempt < TRIES && fewestMissing > 0; attempt++) {
            List<String> found = new ArrayList<>();
            int missing = tokens;
            String sentence = sentences.next();
            int length = encoder.count(sentence);
            while (length < missing) {
                found.add(sentence);
                missing -= length;
                sentence = sentences.next();
                length = encoder.count(sentence);
            }
            String start = shortened(sentence, missing);
            missing -= start.isEmpty() ? 0 : encoder.count(start);
            if (missing < fewestMissing) {
                if (!start.isEmpty()) {
                    found.add(start);
                }
                best = found;
                fewestMissing = missing;
            }
        }
        return best;
    }

    /** The longest beginning of a sentence, made into one, with at most so many tokens; empty if there is none. */
    private String shortened(String sentence, int tokens) {
        if (encoder.count(sentence) == tokens) {
            return sentence;
        }
        String best = "";
        for (int end = sentence.indexOf(' ', 1); end > 0; end = sentence.indexOf(' ', end + 1)) {
            String start = sentence.substring(0, end).replaceAll("[^\\p{L}\\p{N}]+$", "") + ".";
            if (encoder.count(start) > tokens) {
                break;
            }
            best = start;
        }
        return best;
    }

    private static List<String> mix(
            Planted planted, List<String> filler, OptionalDouble depth, SplittableRandom random) {
        int boundaries = filler.size() + 1;
        List<List<String>> places = new ArrayList<>();
        for (int place = 0; place < boundaries; place++) {
            places.add(new ArrayList<>());
        }
        List<String> sentences = new ArrayList<>(planted.asked());
        sentences.addAll(planted.others());
        for (int index = 0; index < sentences.size(); index++) {
            int place = index == 0 && depth.isPresent()
                    ? (int) Math.round(depth.getAsDouble() * filler.size())
                    : random.nextInt(boundaries);
            List<String> there = places.get(place);
            there.add(random.nextInt(there.size() + 1), sentences.get(index));
        }
        List<String> all = new ArrayList<>();
        for (int place = 0; place < boundaries; place++) {
            all.addAll(places.get(place));
            if (place < filler.size()) {
                all.add(filler.get(place));
            }
        }
        return all;
    }
}
