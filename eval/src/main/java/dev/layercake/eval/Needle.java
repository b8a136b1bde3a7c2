package dev.layercake.eval;

import java.util.List;
import java.util.Map;

/** One fact about one name, and the question about it. */
final class Needle {
    private Needle() {}

    /**
     * " The code of Ivan is 4821."
     *
     * @param attribute "code"
     */
    static Planted number(Draw draw, String attribute) {
        return of(draw, "number", Map.of("attribute", attribute, "name", draw.word("name"), "value", draw.number()));
    }

    /** " Ivan owns the red lamp." */
    static Planted possession(Draw draw) {
        return of(draw, "possession", Map.of("name", draw.word("name"), "value", draw.possession()));
    }

    private static Planted of(Draw draw, String kind, Map<String, String> words) {
        Language language = draw.language();
        String value = words.getOrDefault("value", "");
        return new Planted(
                List.of(Language.fill(draw.any(language.needlePhrasings(kind, "facts")), words)),
                List.of(),
                Language.fill(draw.any(language.needlePhrasings(kind, "questions")), words),
                " " + value,
                List.of(value));
    }
}
