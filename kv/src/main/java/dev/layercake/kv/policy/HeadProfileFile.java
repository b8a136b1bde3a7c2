package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@link HeadProfile} on disk: a JSON object with {@code model}, {@code fingerprint}, {@code layers}, {@code kvHeads},
 * {@code group}, {@code measure}, {@code imp} (a list per layer with a number per KV head), {@code impLayer} (a number per
 * layer), {@code prompts}, {@code tokens}, {@code text}, {@code date} and {@code settings}. Keys that are not known are
 * ignored.
 */
final class HeadProfileFile {
    private static final int LARGEST_BYTES = 16 << 20;
    private static final int DEEPEST_NESTING = 8;
    private static final int MOST = 1 << 16;

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEEPEST_NESTING)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    private final Path file;

    private HeadProfileFile(Path file) {
        this.file = file;
    }

    static HeadProfile read(Path file) {
        return new HeadProfileFile(file).profile();
    }

    private HeadProfile profile() {
        JsonNode root = json();
        if (!root.isObject()) {
            throw damaged("it is no JSON object");
        }
        int layers = whole(root, "layers", 1);
        int kvHeads = whole(root, "kvHeads", 1);
        List<List<Double>> heads = new ArrayList<>();
        for (JsonNode layer : list(root, "imp", layers)) {
            heads.add(numbers(layer, "imp", kvHeads));
        }
        List<HeadProfile.Setting> settings = new ArrayList<>();
        for (JsonNode setting : root.path("settings")) {
            settings.add(setting(setting));
        }
        return new HeadProfile(
                text(root, "model"),
                text(root, "fingerprint"),
                whole(root, "group", 1),
                choice(root, "measure", HeadProfile.Measure.values()),
                heads,
                numbers(root.path("impLayer"), "impLayer", layers),
                whole(root, "prompts", 0),
                whole(root, "tokens", 0),
                text(root, "text"),
                text(root, "date"),
                settings);
    }

    private JsonNode json() {
        if (!Files.isRegularFile(file)) {
            throw LayercakeException.badInput(
                    "There is no profile " + file + "; make one with layercake profile, or correct the path.");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(LARGEST_BYTES + 1);
            if (bytes.length > LARGEST_BYTES) {
                throw damaged("it is larger than " + LARGEST_BYTES + " bytes");
            }
            return MAPPER.readTree(bytes);
        } catch (JacksonException e) {
            throw damaged("it is not valid JSON");
        } catch (IOException e) {
            throw LayercakeException.badInput("The profile " + file + " cannot be read (" + e + "); check it.", e);
        }
    }

    private HeadProfile.Setting setting(JsonNode node) {
        HeadDivision.Rule rule = choice(node, "rule", HeadDivision.Rule.values());
        try {
            HeadDivision division = rule == HeadDivision.Rule.POWER
                    ? HeadDivision.power(number(node, "power", 64), number(node, "least", 1))
                    : HeadDivision.twoLevel(number(node, "share", 1), number(node, "factor", MOST));
            return new HeadProfile.Setting(
                    whole(node, "budget", 1),
                    text(node, "policy"),
                    division,
                    number(node, "loss", Double.MAX_VALUE),
                    number(node, "uniformLoss", Double.MAX_VALUE));
        } catch (IllegalArgumentException e) {
            throw damaged("a setting divides more than the whole budget");
        }
    }

    private JsonNode list(JsonNode node, String key, int length) {
        JsonNode list = node.path(key);
        if (!list.isArray() || list.size() != length) {
            throw damaged(key + " is no list of " + length);
        }
        return list;
    }

    private List<Double> numbers(JsonNode list, String key, int length) {
        if (!list.isArray() || list.size() != length) {
            throw damaged(key + " holds no list of " + length + " numbers");
        }
        List<Double> numbers = new ArrayList<>();
        for (JsonNode number : list) {
            numbers.add(read(number, key, HeadProfile.LARGEST));
        }
        return numbers;
    }

    private double number(JsonNode node, String key, double most) {
        return read(node.path(key), key, most);
    }

    private double read(JsonNode value, String place, double most) {
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (!(number >= 0 && number <= most)) {
            throw damaged(place + " holds something else than a number from 0 to " + Parameter.number(most));
        }
        return number;
    }

    private int whole(JsonNode node, String key, int least) {
        JsonNode value = node.path(key);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw damaged(key + " is no whole number");
        }
        int whole = value.intValue();
        if (whole < least || whole > CommonParameters.MOST_TOKENS) {
            throw damaged(key + " is " + whole);
        }
        return whole;
    }

    private String text(JsonNode node, String key) {
        JsonNode value = node.path(key);
        if (!value.isString() || value.stringValue().chars().anyMatch(Character::isISOControl)) {
            throw damaged(key + " is no line of text");
        }
        return value.stringValue();
    }

    private <E extends Enum<E>> E choice(JsonNode node, String key, E[] known) {
        String label = text(node, key);
        return Arrays.stream(known)
                .filter(one -> one.name().toLowerCase(Locale.ROOT).equals(label))
                .findFirst()
                .orElseThrow(() -> damaged(key + " is unknown"));
    }

    private LayercakeException damaged(String how) {
        return LayercakeException.badInput(
                "The profile " + file + " cannot be used: " + how + "; make it again with layercake profile.");
    }

    static void write(HeadProfile profile, Path file) {
        Path absolute = file.toAbsolutePath();
        Path partial = absolute.resolveSibling(absolute.getFileName() + ".new");
        try {
            Files.createDirectories(absolute.getParent());
            Files.write(partial, MAPPER.writeValueAsBytes(json(profile)));
            Files.move(partial, absolute, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw LayercakeException.badInput(
                    "The profile cannot be written to " + file + " (" + e + "); give another file.", e);
        }
    }

    private static ObjectNode json(HeadProfile profile) {
        ObjectNode root = MAPPER.createObjectNode();
        root.put("model", profile.model());
        root.put("fingerprint", profile.fingerprint());
        root.put("layers", profile.layers());
        root.put("kvHeads", profile.kvHeads());
        root.put("group", profile.group());
        root.put("measure", profile.measure().label());
        root.put("prompts", profile.prompts());
        root.put("tokens", profile.tokens());
        root.put("text", profile.text());
        root.put("date", profile.date());
        ArrayNode layers = root.putArray("imp");
        for (List<Double> heads : profile.heads()) {
            ArrayNode layer = layers.addArray();
            heads.forEach(layer::add);
        }
        ArrayNode blocks = root.putArray("impLayer");
        profile.blocks().forEach(blocks::add);
        ArrayNode settings = root.putArray("settings");
        for (HeadProfile.Setting setting : profile.settings()) {
            HeadDivision division = setting.division();
            ObjectNode node = settings.addObject();
            node.put("budget", setting.budget());
            node.put("policy", setting.policy());
            node.put("rule", division.rule().name().toLowerCase(Locale.ROOT));
            if (division.rule() == HeadDivision.Rule.POWER) {
                node.put("power", division.power());
                node.put("least", division.least());
            } else {
                node.put("share", division.share());
                node.put("factor", division.factor());
            }
            node.put("loss", setting.loss());
            node.put("uniformLoss", setting.uniformLoss());
        }
        return root;
    }
}
