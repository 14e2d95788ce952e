"""Music for layerwise: scores from MIDI and ABC as tokens, language models that go on with them."""

import layerwise_music.show
