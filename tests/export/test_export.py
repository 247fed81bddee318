from tests.export.rig import Rig, assert_complete
def test_plain(rig: Rig) -> None:
    result = rig.run()
    for l in result.lines: print(l)
    print(rig.server.requests.__len__())
    assert_complete(rig, result)
