package dev.layercake.model.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which tokens steer a model, so that text from outside must not be able to write them. Files disagree: what one calls
 * special another does not (DeepSeek's mark of a user's turn), so that what a token looks like counts as well, and what the
 * chat template writes.
 */
final class ControlTokens {
    /** Names between bars, and turn marks in angle brackets. */
    private static final Pattern NAME = Pattern.compile("<[|\uFF5C][^<>|\uFF5C]{1,64}[|\uFF5C]>"
            + "|</?(?:s|bos|eos|pad|unk|im_start|im_end|start_of_\\w{1,32}|end_of_\\w{1,32}|begin_of_\\w{1,32}"
            + "|[a-z_]{0,32}turn[a-z_]{0,32}|system|user|assistant|human|bot|model)>");

    private ControlTokens() {}

    /** Those of a tokenizer's added tokens that are control tokens. */
    static List<AddedToken> among(List<AddedToken> added, String template) {
        return added.stream()
                .filter(token -> token.special()
                        || NAME.matcher(token.content()).matches()
                        || (isName(token.content()) && template.contains(token.content())))
                .toList();
    }

    // A template writes line breaks and blanks as well, which some vocabularies have as added tokens.
    private static boolean isName(String content) {
        return content.length() > 2 && content.codePoints().anyMatch(Character::isLetter);
    }

    /**
     * The added tokens, and the pieces of the vocabulary that are control tokens although the tokenizer's file does not say
     * so.
     *
     * @param declared texts of tokens that another file calls special
     * @param pieceId the number of a piece, negative if there is none
     */
    static List<AddedToken> completed(
            List<AddedToken> added, String template, List<String> declared, ToIntFunction<String> pieceId) {
        Set<String> names = new LinkedHashSet<>(declared);
        Matcher matcher = NAME.matcher(template);
        while (matcher.find()) {
            names.add(matcher.group());
        }
        List<AddedToken> all = new ArrayList<>();
        for (AddedToken token : added) {
            names.remove(token.content());
            all.add(declared.contains(token.content()) ? token.asSpecial() : token);
        }
        for (String name : names) {
            int id = name.isEmpty() ? -1 : pieceId.applyAsInt(name);
            if (id >= 0) {
                all.add(new AddedToken(id, name, true, false, false, false, false));
            }
        }
        return List.copyOf(all);
    }
}
