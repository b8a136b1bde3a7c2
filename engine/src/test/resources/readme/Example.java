import dev.layercake.engine.LanguageModel;

void main() {
    try (var model = LanguageModel.load(Path.of("models/crumb"));
            var session = model.session("cake(budget=768)")) {
        var text = "The code of Marlow is 4821." + " Rain fell on the harbour, and nobody came.".repeat(100);
        var answer = session.ask(text + " What is the code of Marlow?");
        for (String piece : answer) {
            IO.print(piece);
        }
        IO.println("\n" + answer.summary().kv());
    }
}
