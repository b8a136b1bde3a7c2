package dev.layercake.model.text;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Where tests find texts of other people, which are not part of this repository. */
final class ChatTemplateTexts {
    private ChatTemplateTexts() {}

    /** The folder with published chat templates; the calling test is skipped where there is none. */
    static Path chatTemplates() {
        String golden = System.getProperty("layercake.golden", "");
        Path folder = golden.isEmpty() ? shared("golden/chat_template") : Path.of(golden, "chat_template");
        assumeTrue(Files.isDirectory(folder), () -> "no published chat templates at " + folder);
        return folder;
    }

    /** A file or folder beside the repository, or where the property layercake.shared says. */
    static Path shared(String relative) {
        String shared = System.getProperty("layercake.shared", "");
        Path root =
                shared.isEmpty() ? Path.of(System.getProperty("layercake.root", "."), "..", "shared") : Path.of(shared);
        return root.resolve(relative).normalize();
    }
}
